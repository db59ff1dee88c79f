"""Drafts: several edits that become one release, and what others change meanwhile."""

from collections.abc import Callable

import psycopg
import pytest

from tests.fix_database import Database
from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import CONFIG, Page, put
from tests.integration.api.conftest import BREAK_GLASS, Caller

DRAFT = "/ui/envs/{}/draft"
SETTING = "/ui/namespaces/payments/{}/{}"


def collect(browser: Browser, key: str, value: str, env: str = "development", **fields: object) -> None:
    """Add one change to the draft, on the page of its setting."""
    path = SETTING.format(env, key)
    browser.get(path)
    answer = browser.post(path, {**browser.hidden(), "value": value, "step": "draft", **fields})
    assert (answer.status_code, answer.location) == (303, f"/ui/namespaces/payments#k:{key}"), answer.text


def save(browser: Browser, env: str = "development", **fields: object) -> tuple[int, str | None]:
    """Save the draft that the page shows."""
    answer = browser.post(DRAFT.format(env), {**browser.hidden(), "step": "save", **fields})
    return answer.status_code, answer.location


@pytest.fixture
def two(ops: Caller) -> None:
    """Two settings in development."""
    put(ops, "rate_limit", 100, "int")
    put(ops, "currency", "EUR", "string")


@pytest.mark.usefixtures("two")
def test_several_edits_become_one_release(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """They are shown on every page, seen before, and saved with one note; the draft is empty then."""
    ours = signed_in("developer")
    collect(ours, "rate_limit", "250")
    collect(ours, "currency", "CHF")
    assert "2 changes to development" in Page(ours.get("/ui/").text).text
    assert 'class="drafted"' in ours.get("/ui/namespaces/payments").text
    seen = Page(ours.get(DRAFT.format("development")).text).text
    for part in ("100", "250", "EUR", "CHF", "No running instance"):
        assert part in seen
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == 100
    assert save(ours, note="For Switzerland") == (303, "/ui/envs/development/releases/3")
    release = ops.get("/v1/envs/development/releases/3").json
    assert (release["note"], len(release["changes"]), release["changed_by"]) == ("For Switzerland", 2, "some-developer")
    assert "changes to development" not in ours.get("/ui/").text


@pytest.mark.usefixtures("two")
def test_a_change_can_be_taken_out_or_made_anew(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """The later value of a key counts; one that is as it is already leaves the draft; all can be discarded."""
    ours = signed_in("developer")
    collect(ours, "rate_limit", "250")
    collect(ours, "rate_limit", "300")
    assert 'value="300"' in ours.get(SETTING.format("development", "rate_limit")).text
    collect(ours, "currency", "CHF")
    ours.get(DRAFT.format("development"))
    ours.post(DRAFT.format("development"), {**ours.hidden(), "step": "take-out"})  # the last line's
    page = Page(ours.get(DRAFT.format("development")).text).text  # a form's mark may hold any digits
    assert ("CHF" in page, "300" in page) == (True, False)
    collect(ours, "currency", "EUR")
    assert "Nothing is in it" in ours.get(DRAFT.format("development")).text
    collect(ours, "currency", "", unset="1")
    ours.get(DRAFT.format("development"))
    ours.post(DRAFT.format("development"), {"step": "discard"})
    assert "Nothing is in it" in ours.get(DRAFT.format("development")).text
    assert ops.get(CONFIG.format("development", "currency")).json["version"] == 1


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(("step", "value"), [("keep", 250), ("take-out", 175)])
def test_somebody_elses_change_is_decided_key_by_key(
    signed_in: Callable[..., Browser], ops: Caller, step: str, value: int
) -> None:
    """It is shown with its author and what it was before; changes of other keys disturb nothing."""
    ours = signed_in("developer")
    collect(ours, "currency", "CHF")
    collect(ours, "rate_limit", "250")
    ours.get(DRAFT.format("development"))
    put(ops, "rate_limit", 175, "int")
    put(ops, "another", 1, "int")
    assert save(ours)[0] == 412
    text = Page(ours.page).text
    for part in ("Somebody else changed 1", "ops changed it", "it was 100", "175", "250", "CHF"):
        assert part in text
    assert "Save 2" not in text
    ours.post(DRAFT.format("development"), {**ours.hidden(), "step": step})
    ours.get(DRAFT.format("development"))
    assert save(ours)[0] == 303
    assert ops.get(CONFIG.format("development", "rate_limit")).json["value"] == value
    assert ops.get(CONFIG.format("development", "currency")).json["value"] == "CHF"


@pytest.mark.usefixtures("two")
def test_a_draft_that_is_another_one_by_now_is_not_saved(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """What was added in another window is shown first, and the note is still there."""
    ours = signed_in("developer")
    collect(ours, "rate_limit", "250")
    ours.get(DRAFT.format("development"))
    seen = ours.hidden()
    collect(ours, "currency", "CHF")
    answer = ours.post(DRAFT.format("development"), {**seen, "note": "why", "step": "save"})
    assert (answer.status_code, "look at it again" in answer.text, 'value="why"' in answer.text) == (409, True, True)
    assert ops.get(CONFIG.format("development", "rate_limit")).json["version"] == 1


def test_a_draft_for_a_protected_environment_is_one_request(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Which goes live when somebody else approves it."""
    put(ops, "rate_limit", 100, "int", "production", **BREAK_GLASS)
    put(ops, "currency", "EUR", "string", "production", **BREAK_GLASS)
    ours = signed_in("developer")
    collect(ours, "rate_limit", "250", "production")
    collect(ours, "currency", "CHF", "production")
    assert "Propose 2 changes" in ours.get(DRAFT.format("production")).text
    assert save(ours, "production", note="For Switzerland") == (303, "/ui/requests/1")
    assert len(ops.get("/v1/requests/1").json["changes"]) == 2
    assert "Nothing is in it" in ours.get(DRAFT.format("production")).text


@pytest.mark.usefixtures("two")
def test_a_draft_is_of_its_session(signed_in: Callable[..., Browser], database: Database) -> None:
    """Nobody else sees it or takes anything out of it, and it goes with the session."""
    ours, theirs = signed_in("developer"), signed_in("ops")
    collect(ours, "rate_limit", "250")
    ours.get(DRAFT.format("development"))
    change = ours.hidden()["change"]
    assert "Nothing is in it" in theirs.get(DRAFT.format("development")).text
    theirs.post(DRAFT.format("development"), {"step": "take-out", "change": change})
    theirs.post(DRAFT.format("development"), {"step": "keep", "change": change, "seen": 1})
    assert "250" in Page(ours.get(DRAFT.format("development")).text).text
    ours.post("/ui/sign-out", {})
    with psycopg.connect(database.superuser_url) as connection:
        assert connection.execute("SELECT count(*) FROM draft_change").fetchone() == (0,)


def test_a_secret_in_a_draft_is_in_clear_nowhere(
    signed_in: Callable[..., Browser], ops: Caller, database: Database
) -> None:
    """It is sealed, shown on no page, and released; what stood in clear goes when its key becomes a secret."""
    ops.post("/v1/namespaces/payments/keys", {"key": "password", "type": "string", "secret": True})
    put(ops, "address", "db.internal", "string")
    ours = signed_in("developer")
    collect(ours, "password", "correct horse")
    collect(ours, "address", "db:battery@internal")
    pages = [ours.get(path).text for path in (DRAFT.format("development"), SETTING.format("development", "password"))]
    assert not [page for page in pages if "correct horse" in page]
    with psycopg.connect(database.superuser_url) as connection:
        assert "correct horse" not in str(connection.execute("SELECT * FROM draft_change").fetchall())
    assert ops.patch("/v1/namespaces/payments/keys/address", {"secret": True}).status_code == 200
    assert "battery" not in ours.get(DRAFT.format("development")).text
    assert save(ours)[0] == 303
    reveal = f"{CONFIG.format('development', 'password')}/reveal"
    assert ops.post(reveal, {"reason": "a test"}).json["value"] == "correct horse"


@pytest.mark.usefixtures("two")
def test_what_is_not_possible_any_more_is_said_at_its_change(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """A schema that came since, and a key that is declared no more: each at its line, and nothing is saved."""
    ours = signed_in("developer")
    assert ops.post("/v1/namespaces/payments/keys", {"key": "brief", "type": "int"}).status_code == 201
    collect(ours, "rate_limit", "250")
    assert "is in" not in ours.get(DRAFT.format("development")).text
    seen = ours.hidden()
    ops.patch("/v1/namespaces/payments/keys/rate_limit", {"schema": {"maximum": 200}})
    answer = ours.post(DRAFT.format("development"), {**seen, "step": "save"})
    assert (answer.status_code, "breaks the key" in answer.text) == (422, True)
    collect(ours, "brief", "1")
    assert ops.delete("/v1/namespaces/payments/keys/brief").status_code == 204
    assert "not declared any more" in ours.get(DRAFT.format("development")).text


def test_who_may_not_write_collects_nothing(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """A viewer's change is refused before it is kept; so is a value that breaks the rules."""
    put(ops, "rate_limit", 100, "int")
    path = SETTING.format("development", "rate_limit")
    viewer, ours = signed_in("viewer"), signed_in("developer")
    viewer.get("/ui/")
    assert viewer.post(path, {"base": 1, "value": "1", "step": "draft"}).status_code == 403
    ours.get(path)
    assert ours.post(path, {**ours.hidden(), "value": "many", "step": "draft"}).status_code == 422
    assert ours.get(DRAFT.format("nowhere")).status_code == 404
