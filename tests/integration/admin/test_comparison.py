"""What was: any two releases beside each other, a namespace as of a time, and restoring both."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import CONFIG, Page, put
from tests.integration.api.conftest import BREAK_GLASS, Caller

HISTORY, COMPARE, STATE = (f"/ui/envs/development/{page}" for page in ("history", "compare", "state"))
RESTORE = "/ui/envs/development/restore"


@pytest.fixture
def three(ops: Caller) -> None:
    """Three releases of development, of two namespaces."""
    put(ops, "rate_limit", 100, "int")
    put(ops, "rate_limit", 250, "int")
    answer = ops.put("/v1/namespaces/search/envs/development/config/index", {"value": "b", "type": "string"})
    assert answer.status_code == 200


@pytest.mark.usefixtures("three")
def test_any_two_releases_stand_beside_each_other(signed_in: Callable[..., Browser]) -> None:
    """Chosen in the history, in either order; of one namespace or of all; by number or by time."""
    ours = signed_in("viewer")
    inputs = [tag for tag, fields in Page(ours.get(HISTORY).text).tags if tag == "input" and fields["type"] == "radio"]
    assert len(inputs) == 6
    for query, there, missing in (
        ("from=1&to=3", ("100", "250", "search/index"), "Restore"),
        ("from=3&to=1", ("100", "250", "unset"), "Restore"),
        ("from=1&namespace=payments", ("100", "250"), "search/index"),
        ("from=2000-01-01", ("404",), "index"),
        ("from=2&to=2", ("Nothing",), "index"),
        (f"from=1&to={datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}", ("250",), "Restore"),
    ):
        text = Page(ours.get(f"{COMPARE}?{query}").text).text
        assert [part for part in there if part not in text] == [], query
        assert missing not in text, query
    answer = ours.get(f"{COMPARE}?from=last+Tuesday")
    assert (answer.status_code, "must be a time" in answer.text) == (422, True)


@pytest.mark.usefixtures("three")
def test_a_namespace_is_shown_as_of_a_time(signed_in: Callable[..., Browser]) -> None:
    """By a release's number or a time; without either, as it is."""
    ours = signed_in("viewer")
    for query, there in (
        ("namespace=payments&as_of=1", "100"),
        ("namespace=payments", "250"),
        ("namespace=search&as_of=2", "Nothing was set"),
        ("namespace=search&as_of=2100-01-01T00:00", "index"),
    ):
        assert there in Page(ours.get(f"{STATE}?{query}").text).text, query
    assert ours.get(f"{STATE}?as_of=soon").status_code == 422
    assert ours.get(f"{STATE}?as_of=99").status_code == 404


@pytest.mark.usefixtures("three")
def test_a_day_is_found(signed_in: Callable[..., Browser]) -> None:
    """The history says of each day what it was, and goes to one."""
    ours, today = signed_in("viewer"), datetime.now(UTC)
    text = Page(ours.get(f"{HISTORY}?on={today:%Y-%m-%d}").text).text
    assert (f"{today:%A, %-d %B %Y}" in text, "Release 3" in text) == (True, True)
    assert ours.get(f"{HISTORY}?on=Tuesday").status_code == 400


@pytest.mark.usefixtures("three")
def test_an_environment_is_restored_after_a_preview(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """All namespaces in one release, or one of them; nothing is written before, and what is so already is said."""
    ours = signed_in("developer")
    ours.get(f"{COMPARE}?from=1")
    seen = ours.post(RESTORE, {"revision": 1, "namespace": ""})
    for part in ("100", "250", "search/index", "No running instance"):
        assert part in Page(seen.text).text
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 250
    done = ours.post(RESTORE, {**ours.hidden(), "step": "save", "note": "as it was"})
    assert done.location == "/ui/envs/development/releases/4"
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100
    assert ops.get("/v1/envs/development/releases/4").json["kind"] == "restore"
    again = ours.post(RESTORE, {"revision": 1, "namespace": ""})
    assert (again.status_code, "nothing to restore" in again.text) == (409, True)
    ours.post(RESTORE, {"revision": 3, "namespace": "search"})
    assert ours.post(RESTORE, {**ours.hidden(), "step": "save"}).location == "/ui/envs/development/releases/5"
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100


@pytest.mark.usefixtures("three")
def test_what_one_may_not_read_is_neither_shown_nor_restored(signed_in: Callable[..., Browser]) -> None:
    """Another namespace's changes are not there, and an environment is restored only by whoever may read all of it."""
    ours = signed_in("developer", "payments")
    text = Page(ours.get(f"{COMPARE}?from=1").text).text
    assert ("250" in text, "index" in text) == (True, False)
    assert ours.post(RESTORE, {"revision": 1, "namespace": ""}).status_code == 404
    assert ours.post(RESTORE, {"revision": 1, "namespace": "payments"}).status_code == 200


def test_restoring_what_is_protected_is_proposed(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """As one request."""
    put(ops, "rate_limit", 100, "int", "production", **BREAK_GLASS)
    put(ops, "rate_limit", 250, "int", "production", **BREAK_GLASS)
    ours = signed_in("developer")
    ours.get("/ui/")
    assert "Propose" in ours.post("/ui/envs/production/restore", {"revision": 1, "namespace": ""}).text
    done = ours.post("/ui/envs/production/restore", {**ours.hidden(), "step": "save"})
    assert done.location == "/ui/requests/1"
