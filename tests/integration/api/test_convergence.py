"""Does everybody have it? The answer over HTTP, from what simulated clients say with their syncs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from configsvc.settings import Settings
from configsvc.store.database import Database as Store
from configsvc.store.watch import Report, report, tidy
from tests.fix_database import Database
from tests.integration.api.conftest import Caller

RELEASES = "/v1/envs/staging/releases"
#: Nothing here takes longer than two writes of reports, unless the machine is busy.
WAIT_S = 10


@dataclass
class Watching:
    """A client that syncs when told to, and shows what it got."""

    caller: Caller
    id: str
    namespaces: list[str]
    have: str | None = None
    view: str | None = None
    rejected: dict[str, str] | None = None
    more: dict[str, object] = field(default_factory=dict)

    def sync(self) -> None:
        """Say what it has, and take what is new."""
        client = {"id": self.id, "service": "checkout", "host": "web-1", "pid": 7, **self.more}
        if self.rejected:
            client["rejected"] = self.rejected
        body = {"client": client, "env": "staging", "namespaces": self.namespaces, "have": self.have, "view": self.view}
        answer = self.caller.post("/v1/sync", body)
        assert answer.status_code == 200, answer.text
        self.have, self.view = answer.json["cursor"], answer.json["view"]

    def follow(self) -> None:
        """Take what is new, and report it."""
        self.sync()
        self.sync()


@pytest.fixture
def watching(ops: Caller) -> Callable[..., Watching]:
    """Makes clients."""
    return lambda id_, *namespaces, **more: Watching(ops, id_, list(namespaces) or ["payments"], more=more)


@pytest.fixture
def superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """For what takes minutes, or a crash of Postgres, to happen by itself."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        yield connection


def release(ops: Caller, value: int, *namespaces: str) -> int:
    """Commit a release that touches some namespaces, payments if none is given."""
    names = namespaces or ("payments",)
    for name in names:
        ops.post(f"/v1/namespaces/{name}/keys", {"key": "rate", "type": "int"})
    answer = ops.post(RELEASES, {"changes": [{"namespace": name, "key": "rate", "value": value} for name in names]})
    assert answer.status_code == 200, answer.text
    return int(answer.json["revision"])


def ask(caller: Caller, revision: int, wait_s: int = 0) -> dict[str, Any]:
    """How far a release has come."""
    answer = caller.get(f"{RELEASES}/{revision}/convergence?wait={wait_s}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json
    assert set(document) == {"watchers", "applied", "converged", "laggards", "lost", "rejected", "times"}
    return document


def until(
    caller: Caller, revision: int, condition: Callable[[dict[str, Any]], bool], wait_s: int = 0
) -> dict[str, Any]:
    """Ask until the answer is as expected; fail if it is not in time."""
    deadline = time.monotonic() + WAIT_S
    while not condition(answer := ask(caller, revision, wait_s)):
        assert time.monotonic() < deadline, answer
    return answer


def ids(clients: list[dict[str, Any]]) -> list[str]:
    """The names of clients."""
    return [client["client_id"] for client in clients]


def silence(superuser: psycopg.Connection[Any], client_id: str, silent_s: int) -> None:
    """Let a client have been silent for so long."""
    superuser.execute(
        "UPDATE config_watch SET last_seen = last_seen - make_interval(secs => %(silent_s)s),"
        " live_until = live_until - make_interval(secs => %(silent_s)s) WHERE client_id = %(client_id)s",
        {"silent_s": silent_s, "client_id": client_id},
    )


def test_without_watchers_nobody_can_say(ops: Caller, watching: Callable[..., Watching]) -> None:
    """No watchers is null, not yes; and who follows other namespaces is no watcher of this release."""
    watching("other", "search").sync()
    first = release(ops, 1, "search")
    until(ops, first, lambda answer: answer["watchers"] == 1)
    nobody = ask(ops, release(ops, 1, "payments"))
    assert (nobody["watchers"], nobody["applied"], nobody["converged"]) == (0, 0, None)
    assert nobody["laggards"] == nobody["lost"] == nobody["rejected"] == []
    assert nobody["times"] == {"p50_s": None, "p99_s": None, "all_s": None}


def test_a_client_counts_when_it_has_said_so(ops: Caller, watching: Callable[..., Watching]) -> None:
    """Taking a release is not enough: the next report proves it. Until then the client is a laggard, named."""
    client, other = watching("a", host="web-2", pid=12), watching("b", service="billing")
    client.follow()
    other.follow()
    revision = release(ops, 1)
    client.sync()
    other.sync()
    behind = until(ops, revision, lambda answer: answer["watchers"] == 2)
    assert (behind["applied"], behind["converged"]) == (0, False)
    assert behind["laggards"] == [
        {"client_id": "b", "service": "billing", "host": "web-1", "pid": 7, "revision": 0},
        {"client_id": "a", "service": "checkout", "host": "web-2", "pid": 12, "revision": 0},
    ]
    client.sync()
    half = until(ops, revision, lambda answer: answer["applied"] == 1)
    assert (half["converged"], ids(half["laggards"])) == (False, ["b"])
    assert half["times"]["p50_s"] > 0
    assert half["times"]["p99_s"] is half["times"]["all_s"] is None
    other.sync()
    whole = until(ops, revision, lambda answer: answer["applied"] == 2)
    assert (whole["converged"], whole["laggards"]) == (True, [])
    assert whole["times"]["p50_s"] == half["times"]["p50_s"]
    assert whole["times"]["p50_s"] < whole["times"]["p99_s"] == whole["times"]["all_s"]


def test_a_later_release_counts_and_times_stay(ops: Caller, watching: Callable[..., Watching]) -> None:
    """A client that jumps over a release has it too; times once reached don't change."""
    client = watching("a")
    client.follow()
    first, second = release(ops, 1), release(ops, 2)
    client.follow()
    one, two = ask(ops, first, WAIT_S), ask(ops, second, WAIT_S)
    assert one["converged"] is two["converged"] is True
    assert one["times"]["all_s"] >= two["times"]["all_s"] > 0
    watching("late").sync()
    again = until(ops, first, lambda answer: answer["watchers"] == 2)
    assert (again["converged"], again["times"]) == (False, one["times"])


def test_a_wait_ends_when_the_last_one_has_it(ops: Caller, watching: Callable[..., Watching]) -> None:
    """A held answer comes when the last report does, and says yes; without that it comes at its end, and says no."""
    client = watching("a")
    client.follow()
    revision = release(ops, 1)
    until(ops, revision, lambda answer: answer["watchers"] == 1)
    assert ask(ops, revision, 1)["converged"] is False
    answers: list[dict[str, Any]] = []
    held = [threading.Thread(target=lambda: answers.append(ask(ops, revision, 30))) for _ in range(5)]
    for thread in held:
        thread.start()
    started = time.monotonic()
    client.follow()
    for thread in held:
        thread.join(30)
    assert [answer["converged"] for answer in answers] == [True] * 5
    assert answers[0]["times"]["all_s"] > 0, "the time is there with the first yes"
    assert time.monotonic() - started < 20


def test_who_waits_costs_one_look_for_all(
    ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any]
) -> None:
    """Forty requests that wait for two releases make one statement each look, and none when they have ended."""
    watching("a").sync()
    revisions = [release(ops, 1), release(ops, 2)]
    # Not in a tight loop: Postgres would count some of its looks later than they are made.
    until(ops, revisions[0], lambda answer: answer["watchers"] == 1, wait_s=1)

    def looks() -> int:
        row = superuser.execute(
            "SELECT sum(idx_scan + coalesce(seq_scan, 0)) FROM pg_stat_user_tables WHERE relname = 'config_watch'"
        ).fetchone()
        assert row is not None
        return int(row[0])

    before = looks()
    held = [threading.Thread(target=ask, args=(ops, revision, 3)) for revision in revisions * 20]
    for thread in held:
        thread.start()
    for thread in held:
        thread.join(30)
    # Two full answers each, for 3 s at most four looks a second at two releases, and what the service looks at by
    # itself; a look for each would be 480.
    assert looks() - before < 240


def test_a_number_of_another_history_does_not_count(
    ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any]
) -> None:
    """A cursor with the right number and another hash is none of this history, whether it came so or became so."""
    release(ops, 1), release(ops, 2)
    stranger, native = watching("stranger"), watching("native")
    stranger.have, stranger.view = "2.0123456789abcdef", "none"
    stranger.sync()
    native.follow()
    answer = until(ops, 2, lambda answer: answer["watchers"] == 2 and answer["applied"] > 0)
    assert (answer["converged"], ids(answer["laggards"])) == (False, ["stranger"])
    assert answer["laggards"][0]["revision"] == 0
    # As after a restore: what the table says of the client is of a history that is gone.
    superuser.execute("UPDATE config_watch SET cursor = '2.0123456789abcdef' WHERE client_id = 'native'")
    assert ids(ask(ops, 2)["laggards"]) == ["native", "stranger"]


def test_a_client_that_refuses_is_listed_with_its_reason(ops: Caller, watching: Callable[..., Watching]) -> None:
    """It has not applied what it refused, nor what came with it; what it showed before it still shows."""
    picky, other = watching("picky"), watching("other")
    good = release(ops, 1)
    picky.follow()
    other.follow()
    assert ask(ops, good, WAIT_S)["converged"] is True
    bad, also = release(ops, 2), release(ops, 3)
    picky.sync()
    other.follow()
    picky.rejected = {"cursor": str(picky.have), "reason": "ValueError: too many"}
    picky.sync()
    for revision in (bad, also):
        answer = until(ops, revision, lambda answer: answer["rejected"] != [] and answer["applied"] == 1)
        assert (answer["watchers"], answer["converged"], answer["laggards"]) == (2, False, [])
        assert answer["rejected"] == [
            {"client_id": "picky", "service": "checkout", "host": "web-1", "pid": 7, "revision": good}
            | {"reason": "ValueError: too many"}
        ]
        assert answer["times"]["p50_s"] > 0
        assert answer["times"]["all_s"] is None
    before = ask(ops, good)
    assert (before["converged"], before["rejected"]) == (True, [])
    picky.rejected = None
    picky.sync()
    assert until(ops, bad, lambda answer: answer["rejected"] == [])["converged"] is True


def test_a_silent_client_is_lost_then_gone(
    ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any]
) -> None:
    """Silent for two syncs: lost, named, not waited for. After 10 minutes more it is gone. Once heard, it is back."""
    silent, other = watching("silent"), watching("other")
    silent.follow()
    other.follow()
    revision = release(ops, 1)
    other.follow()
    assert ids(until(ops, revision, lambda answer: answer["applied"] == 1)["laggards"]) == ["silent"]
    silence(superuser, "silent", 80)
    lost = ask(ops, revision)
    assert (lost["watchers"], lost["converged"], lost["laggards"]) == (1, True, [])
    assert [(one["client_id"], one["pid"], one["revision"]) for one in lost["lost"]] == [("silent", 7, 0)]
    assert lost["lost"][0]["last_seen"].endswith("Z")
    silence(superuser, "silent", 580)
    assert ids(ask(ops, revision)["lost"]) == ["silent"]
    silence(superuser, "silent", 20)
    assert ask(ops, revision)["lost"] == []
    silent.follow()
    back = until(ops, revision, lambda answer: answer["watchers"] == 2)
    assert (back["converged"], back["lost"]) == (True, [])


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_of_the_clock_is_no_silence(
    ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any], hours: int
) -> None:
    """When the database's clock is stepped nobody is lost, laggards still lag, times stay true, and silence counts."""
    quick, slow = watching("quick"), watching("slow")
    quick.follow()
    slow.follow()
    revision = release(ops, 1)
    quick.follow()
    until(ops, revision, lambda answer: (answer["watchers"], answer["applied"]) == (2, 1))
    # As seen from the last look, this is what a step looks like.
    superuser.execute("UPDATE watch_clock SET looked_at = looked_at - make_interval(hours => %s)", [hours])
    stepped = ask(ops, revision)
    assert (stepped["watchers"], stepped["lost"], ids(stepped["laggards"])) == (2, [], ["slow"])
    slow.follow()
    assert 0 < until(ops, revision, lambda answer: answer["converged"])["times"]["all_s"] < WAIT_S + 5
    silence(superuser, "slow", 80)
    assert ids(ask(ops, revision)["lost"]) == ["slow"]


def test_all_lost_is_nobody(ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any]) -> None:
    """When every client has fallen silent there is none to say yes."""
    client = watching("a")
    client.follow()
    revision = release(ops, 1)
    client.follow()
    assert ask(ops, revision, WAIT_S)["converged"] is True
    silence(superuser, "a", 80)
    answer = ask(ops, revision)
    assert (answer["watchers"], answer["converged"], ids(answer["lost"])) == (0, None, ["a"])


def test_a_crash_of_postgres_makes_no_yes(
    ops: Caller, watching: Callable[..., Watching], superuser: psycopg.Connection[Any]
) -> None:
    """After a crash nobody is known, and the first who are back are not taken for all; later they are."""
    client = watching("a")
    client.follow()
    revision = release(ops, 1)
    client.follow()
    assert ask(ops, revision, WAIT_S)["converged"] is True
    superuser.execute("TRUNCATE config_watch, watch_clock")  # what recovery does to unlogged tables
    assert ask(ops, revision)["converged"] is None
    client.sync()
    back = until(ops, revision, lambda answer: answer["watchers"] == 1)
    assert (back["applied"], back["converged"]) == (1, None)
    superuser.execute("UPDATE watch_clock SET complete_from = complete_from - interval '80 seconds'")
    assert ask(ops, revision)["converged"] is True


def said(client_id: str, leaving: bool = False, token_id: str = "mine") -> Report:
    """What a client that has nothing says."""
    place = ("checkout", "web-1", 7, "", "none", 0, "", None)
    return Report(client_id, "staging", ["payments"], *place, leaving, token_id)


def test_an_older_report_does_not_undo_a_newer(ops: Caller, settings: Settings) -> None:
    """A worker that froze and writes late what a client said before changes nothing about what it said since."""
    revision = release(ops, 1)
    cursor = ops.get(f"{RELEASES}/{revision}").json["cursor"]
    old = said("a")
    new = replace(old, revision=revision, cursor=cursor)
    with closing(Store(settings.database_url)) as store:
        report(store, [(new, 5)], 75)
        report(store, [(old, 30)], 75)
        assert ask(ops, revision)["converged"] is True
        report(store, [(old, 0)], 75)
        assert ask(ops, revision)["converged"] is False


def test_who_takes_leave_is_forgotten_at_once(ops: Caller, watching: Callable[..., Watching]) -> None:
    """It is no laggard, nor lost, and who waits for the others waits for the others only."""
    leaver, stayer = watching("leaver"), watching("stayer")
    leaver.follow()
    stayer.follow()
    revision = release(ops, 1)
    stayer.follow()
    leaver.more = {"leaving": True}
    leaver.sync()
    answer = ask(ops, revision, WAIT_S)
    assert (answer["watchers"], answer["converged"], answer["lost"]) == (1, True, [])
    watchers = ops.get("/v1/envs/staging/watchers").json["items"]
    assert ids(watchers) == ["stayer"]


def test_what_a_client_said_before_it_left_brings_it_back_to_nobody(ops: Caller, settings: Settings) -> None:
    """A report that another worker writes later, and a request that was still on its way; a new start does."""
    revision = release(ops, 1)
    with closing(Store(settings.database_url)) as store:
        report(store, [(said("a"), 9)], 75)
        report(store, [(said("a", leaving=True), 1), (said("unheard", leaving=True), 1)], 75)
        report(store, [(said("a"), 5), (said("unheard"), 5)], 75)
        tidy(store)
        report(store, [(said("a"), 0), (said("unheard"), 0)], 75)
        answer = ask(ops, revision)
        assert (answer["watchers"], answer["lost"]) == (0, [])
        report(store, [(said("again", leaving=True), 20)], 75)
        report(store, [(said("again"), 5)], 75)
        assert ids(ask(ops, revision)["laggards"]) == ["again"]


def test_nobody_takes_leave_for_another_token(ops: Caller, settings: Settings) -> None:
    """Ids are no secret: whoever sees the list could else have others' clients left out."""
    revision = release(ops, 1)
    with closing(Store(settings.database_url)) as store:
        report(store, [(said("a"), 9)], 75)
        report(store, [(said("a", leaving=True, token_id="another"), 0)], 75)
        assert ids(ask(ops, revision)["laggards"]) == ["a"]


def test_nobody_speaks_for_the_client_of_another_token(ops: Caller, settings: Settings) -> None:
    """Neither to say that it has what it has not, nor to take its leave after that; one that is lost is anybody's."""
    revision = release(ops, 1)
    newest = ops.get(f"{RELEASES}/{revision}").json["cursor"]
    with closing(Store(settings.database_url)) as store:
        report(store, [(said("a"), 9), (said("lost"), 80)], 75)
        report(store, [(replace(said("a", token_id="another"), revision=revision, cursor=newest), 5)], 75)
        assert ids(ask(ops, revision)["laggards"]) == ["a"]
        report(store, [(said("a", leaving=True, token_id="another"), 3), (said("lost", token_id="another"), 3)], 75)
        assert set(ids(ask(ops, revision)["laggards"])) == {"a", "lost"}


def test_only_what_the_caller_may_read(
    ops: Caller, watching: Callable[..., Watching], limited: Callable[..., Caller]
) -> None:
    """A release counts with the clients of those of its namespaces that the caller may read; else it isn't there."""
    one, two = watching("one", "payments"), watching("two", "search")
    one.follow()
    two.follow()
    revision = release(ops, 1, "payments", "search")
    one.follow()
    whole = until(ops, revision, lambda answer: answer["applied"] == 1)
    assert (whole["watchers"], whole["converged"], ids(whole["laggards"])) == (2, False, ["two"])
    narrow = ask(limited("viewer", "payments"), revision)
    assert (narrow["watchers"], narrow["converged"], narrow["laggards"]) == (1, True, [])
    assert limited("viewer", "global").get(f"{RELEASES}/{revision}/convergence").status_code == 404
    assert limited("viewer", envs=["production"]).get(f"{RELEASES}/{revision}/convergence").status_code == 404


def test_a_wait_that_outlives_its_token_ends_without_an_answer(
    ops: Caller, watching: Callable[..., Watching], limited: Callable[..., Caller], superuser: psycopg.Connection[Any]
) -> None:
    """A token that is revoked while it waits learns nothing any more."""
    client = watching("a")
    client.follow()
    revision = release(ops, 1)
    short = limited("viewer")
    ask(short, revision)
    answers: list[int] = []
    path = f"{RELEASES}/{revision}/convergence?wait=2"
    held = threading.Thread(target=lambda: answers.append(short.get(path).status_code))
    held.start()
    superuser.execute("UPDATE token SET revoked_at = clock_timestamp() WHERE name LIKE 'limited-%'")
    held.join(30)
    assert answers == [401]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("9/convergence", 404),
        ("0/convergence", 404),
        ("x/convergence", 400),
        ("1/convergence?wait=31", 400),
        ("1/convergence?wait=-1", 400),
        ("1/convergence?timeout=1", 400),
    ],
)
def test_a_wrong_question_is_refused(ops: Caller, path: str, status: int) -> None:
    """A release that is not there, a wait out of bounds, an unknown parameter."""
    release(ops, 1)
    assert ops.get(f"{RELEASES}/{path}").status_code == status
