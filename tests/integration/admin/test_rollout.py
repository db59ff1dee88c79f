"""The pages of those who follow the settings: how far a release has come, and who is there."""

from collections.abc import Callable

import pytest

from configsvc.settings import Settings
from configsvc.store.database import Database
from configsvc.store.watch import Report, report
from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import Page, put
from tests.integration.api.conftest import Caller

ROLLOUT = "/ui/envs/development/releases/1/rollout"
WATCHERS = "/ui/envs/development/watchers"
LIVE_S = 75.0


@pytest.fixture
def hear(settings: Settings, ops: Caller) -> Callable[..., None]:
    """Puts a client there that follows settings in development and shows a release, after there is one."""
    put(ops, "rate_limit", 100, "int")
    cursors = {1: ops.get("/v1/namespaces/payments/envs/development/watch?timeout=0").json["cursor"], 0: ""}

    def hear(
        host: str,
        revision: int,
        *namespaces: str,
        rejected: str | None = None,
        age_s: float = 0,
        transport: str = "redis",
    ) -> None:
        said = Report(
            client_id=host,
            env="development",
            namespaces=namespaces or ("payments",),
            service="checkout",
            host=host,
            pid=4711,
            sdk="python/1",
            transport=transport,
            revision=revision,
            cursor=cursors[revision],
            rejected=rejected,
            leaving=False,
            token_id="",
        )
        database = Database(settings.database_url)
        report(database, [(said, age_s)], LIVE_S)
        database.close()

    return hear


def test_a_rollout_names_who_has_not_got_it(signed_in: Callable[..., Browser], hear: Callable[..., None]) -> None:
    """Counts and a bar; laggards, refusals with their reason, and the silent, by service, host and process."""
    hear("web-1", 1)
    hear("web-2", 0)
    hear("<b>web-3</b>", 0, rejected="<script>too high</script>")
    hear("web-4", 0, age_s=LIVE_S + 1)
    page = Page(signed_in("viewer").get(ROLLOUT).text)
    assert "1 of 3 running instances have it" in page.text
    (bar,) = [attributes for tag, attributes in page.tags if tag == "progress"]
    assert (bar["max"], bar["value"]) == ("3", "1")
    refused, _, rest = page.text.partition("Refused it")[2].partition("Not there yet")
    late, _, lost = rest.partition("Fell silent")
    assert ("<b>web-3</b>" in refused, "<script>too high</script>" in refused) == (True, True)
    assert ("web-2" in late, "web-1" in page.text, "4711" in late, "web-4" in lost) == (True, False, True, True)
    assert not page.may_run_something()


def test_a_rollout_is_followed_until_all_have_it(
    signed_in: Callable[..., Browser], hear: Callable[..., None], ops: Caller
) -> None:
    """The page asks to be looked at again until then, and says how long it took."""
    ours = signed_in("viewer")
    waiting = ours.get(ROLLOUT).text
    assert ("No running instance" in waiting, "data-follow" in waiting) == (True, True)
    hear("web-1", 1)
    assert ops.get("/v1/envs/development/releases/1/convergence?wait=10").json["converged"]
    done = ours.get(ROLLOUT).text
    assert ("Everybody has it" in done, "data-follow" in done, "not yet" in done) == (True, False, False)
    assert ROLLOUT in ours.get("/ui/envs/development/releases/1").text


def test_instances_are_listed_as_far_as_one_may_read(
    signed_in: Callable[..., Browser], hear: Callable[..., None]
) -> None:
    """With what they follow and show, and what they refuse; of one namespace on demand; others' are not there."""
    hear("web-1", 1, "payments", "search")
    hear("<i>web-2</i>", 0, rejected="too high")
    ours = signed_in("viewer")
    page = Page(ours.get(WATCHERS).text)
    for part in ("2 instances", "web-1", "<i>web-2</i>", "4711", "push", "python/1", "refuses newer ones: too high"):
        assert part in page.text
    assert not page.may_run_something()
    narrowed = Page(ours.get(f"{WATCHERS}?namespace=search").text).text
    assert ("web-1" in narrowed, "web-2" in narrowed) == (True, False)
    assert WATCHERS in ours.get("/ui/").text
    theirs = signed_in("viewer", "search", ["development"], name="a searcher")
    seen = Page(theirs.get(WATCHERS).text).text
    assert ("web-1" in seen, "web-2" in seen, "payments" in seen) == (True, False, False)
    for path in (ROLLOUT, "/ui/envs/staging/watchers", f"{WATCHERS}?namespace=payments"):
        assert theirs.get(path).status_code == 404, path


def test_the_overview_sums_up_how_instances_are(signed_in: Callable[..., Browser], hear: Callable[..., None]) -> None:
    """By push, by long poll, stale, rejected; who follows nothing of the last releases is not late for them."""
    ours = signed_in("viewer")
    assert "by push" not in ours.get("/ui/").text
    hear("web-1", 1)
    hear("web-2", 0)
    hear("web-3", 0, rejected="too high")
    hear("web-4", 1, transport="longpoll")
    hear("web-5", 0, "search", transport="longpoll")
    hear("web-6", 0, "search", transport="none")
    text = " ".join(Page(ours.get("/ui/").text).text.split())
    assert "6 live instances" in text
    assert "3 by push 2 by long poll 1 stale 1 rejected" in text
