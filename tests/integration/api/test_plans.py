"""Ways back: rollback of a key, restore of a scope, undo of a release; and what all writes have in common."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests import fix_database
from tests.integration.api.conftest import Caller
from tests.integration.api.test_history import RELEASES, SCOPE, SEARCH, put, redeclare, unset, values

CONFIG = f"{SCOPE}/config"


def undo(caller: Caller, revision: int, **options: Any) -> Any:
    """Undo one release."""
    return caller.post(f"{RELEASES}/{revision}/undo", {"note": "undone"}, **options)


def restore(caller: Caller, revision: int, **options: Any) -> Any:
    """Make the scope what it was at a revision."""
    return caller.post(f"{SCOPE}/restore", {"revision": revision}, **options)


def rollback(caller: Caller, key: str, version: int, **options: Any) -> Any:
    """Give a key the value of one of its versions."""
    return caller.post(f"{CONFIG}/{key}/rollback", {"version": version}, **options)


def newest(caller: Caller) -> int:
    """The revision of staging."""
    return next(int(row["revision"]) for row in caller.get("/v1/envs").json["items"] if row["name"] == "staging")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run all calls at the same moment; return what they return."""
    barrier = threading.Barrier(len(calls), timeout=10)
    results: list[Any] = [None] * len(calls)

    def run(number: int) -> None:
        barrier.wait()
        results[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return results


# Rollback ------------------------------------------------------------------------------------------------------------


def test_rollback_makes_a_new_version(ops: Caller) -> None:
    """A, B, back to A: three versions and three revisions; the release says what it was and why."""
    put(ops, "limit", 1)
    put(ops, "limit", 2)
    answer = ops.post(f"{CONFIG}/limit/rollback", {"version": 1, "note": "2 was too much"}).json
    change = {"namespace": "payments", "key": "limit", "version": 3, "type": "int", "value": 1}
    assert (answer["revision"], answer["changed"], answer["changes"]) == (3, True, [change])
    release = ops.get(f"{RELEASES}/3").json
    assert (release["kind"], release["note"]) == ("rollback", "2 was too much")
    assert rollback(ops, "limit", 3).json["changed"] is False
    assert newest(ops) == 3


def test_rollback_to_a_delete_unsets(ops: Caller) -> None:
    """A deleted version is a state like others; so is the one before it."""
    put(ops, "limit", 1)
    unset(ops, "limit")
    put(ops, "limit", 2)
    (change,) = rollback(ops, "limit", 2).json["changes"]
    assert (change["version"], change["deleted"]) == (4, True)
    assert values(ops) == {}
    assert rollback(ops, "limit", 2).json["changed"] is False
    rollback(ops, "limit", 1)
    assert values(ops) == {"limit": 1}


def test_rollback_to_what_is_not_there(ops: Caller) -> None:
    """An unknown version or key is 404; a version that can't be one is 422."""
    put(ops, "limit", 1)
    for key, version, status in (
        ("limit", 2, 404), ("nobody", 1, 404), ("limit", 0, 422), ("limit", -1, 422), ("limit", True, 422),
        ("limit", "1", 422), ("limit", 1.0, 422), ("limit", None, 422), ("limit", 2**31, 422),
    ):  # fmt: skip
        assert ops.post(f"{CONFIG}/{key}/rollback", {"version": version}).status_code == status, (key, version)
    assert ops.post("/v1/namespaces/payments/envs/production/config/limit/rollback", {"version": 1}).status_code == 404


def test_rollback_over_declarations(ops: Caller) -> None:
    """A version from before the key was declared anew can come back if today's type takes its value."""
    put(ops, "limit", 1)
    unset(ops, "limit")
    redeclare(ops, "limit", "float")
    put(ops, "limit", 2.5)
    assert rollback(ops, "limit", 1).status_code == 200
    assert repr(values(ops)["limit"]) == "1.0"
    unset(ops, "limit")
    redeclare(ops, "limit", "string")
    answer = rollback(ops, "limit", 3)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert "key's type is string" in answer.json["detail"]


# Restore -------------------------------------------------------------------------------------------------------------


def test_restore_is_one_release_about_one_scope(ops: Caller) -> None:
    """All keys of the scope are again as they were, in one release; other scopes stay; the way back is open."""
    put(ops, "changes", 1)
    put(ops, "goes", 1)
    then = put(ops, "stays", 1)["revision"]
    put(ops, "changes", 2)
    unset(ops, "goes")
    put(ops, "comes", 1)
    put(ops, "elsewhere", 1, SEARCH)
    before = newest(ops)
    answer = restore(ops, then).json
    assert answer["revision"] == before + 1
    assert [(change["key"], change.get("deleted", False)) for change in answer["changes"]] == [
        ("changes", False), ("comes", True), ("goes", False)
    ]  # fmt: skip
    assert values(ops) == {"changes": 1, "goes": 1, "stays": 1}
    assert values(ops, scope=SEARCH) == {"elsewhere": 1}
    assert ops.get(f"{RELEASES}/{before + 1}").json["kind"] == "restore"
    assert restore(ops, before).json["changed"] is True
    assert values(ops) == {"changes": 2, "stays": 1, "comes": 1}


def test_restore_to_the_beginning_empties_the_scope(ops: Caller) -> None:
    """Revision 0 has no settings."""
    put(ops, "a", 1)
    put(ops, "b", 1)
    answer = restore(ops, 0).json
    assert [(change["key"], change["deleted"]) for change in answer["changes"]] == [("a", True), ("b", True)]
    assert values(ops) == {}


def test_restore_to_the_present_changes_nothing(ops: Caller) -> None:
    """Nor does one to any revision at which the scope was the same; the answer names the present revision."""
    put(ops, "a", 1)
    put(ops, "b", 1, SEARCH)
    put(ops, "a", 2)
    put(ops, "a", 1)
    for revision in (4, 2, 1):
        answer = restore(ops, revision)
        assert answer.status_code == 200
        assert (answer.json["changed"], answer.json["changes"], answer.json["revision"]) == (False, [], 4)
    assert newest(ops) == 4


def test_restore_to_what_is_not_there(ops: Caller) -> None:
    """A future revision is 404, what is none is 422, an unknown scope 404."""
    put(ops, "a", 1)
    for revision, status in ((2, 404), (-1, 422), (1.0, 422), ("1", 422), (None, 422), (True, 422), (2**63, 400)):
        assert restore(ops, revision).status_code == status, revision  # type: ignore[arg-type]
    assert ops.post("/v1/namespaces/nobody/envs/staging/restore", {"revision": 0}).status_code == 404
    assert ops.post("/v1/namespaces/payments/envs/nowhere/restore", {"revision": 0}).status_code == 404


def test_restore_over_declarations(ops: Caller) -> None:
    """A key declared anew with the old type comes back; with another one, or not at all, the restore says which key."""
    then = put(ops, "limit", 1)["revision"]
    unset(ops, "limit")
    redeclare(ops, "limit", "int")
    put(ops, "limit", 2)
    assert restore(ops, then).json["changes"][0]["value"] == 1
    unset(ops, "limit")
    redeclare(ops, "limit", "string")
    put(ops, "limit", "a")
    for reason in ("the key's type is string", "limit is not declared"):
        answer = restore(ops, then)
        assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
        (error,) = answer.json["errors"]
        assert error["field"].startswith("payments/limit")
        assert reason in error["message"]
        ops.delete(f"{CONFIG}/limit")
        ops.delete("/v1/namespaces/payments/keys/limit")


# Undo ----------------------------------------------------------------------------------------------------------------


def test_undo_takes_back_one_release_and_keeps_what_came_after(ops: Caller) -> None:
    """Over all of its namespaces: what it set, unset or changed is as before; later changes of other keys stay."""
    put(ops, "changed", 1)
    put(ops, "unset", 1)
    put(ops, "a", 1, SEARCH)
    ops.post("/v1/namespaces/payments/keys", {"key": "fresh", "type": "int"})
    changes = [
        {"namespace": "payments", "key": "changed", "value": 2},
        {"namespace": "payments", "key": "unset", "delete": True},
        {"namespace": "payments", "key": "fresh", "value": 1},
        {"namespace": "search", "key": "a", "value": 2},
    ]
    wrong = ops.post(RELEASES, {"changes": changes}).json["revision"]
    put(ops, "later", 1)
    answer = undo(ops, wrong).json
    assert [(change["namespace"], change["key"]) for change in answer["changes"]] == [
        ("payments", "changed"), ("payments", "fresh"), ("payments", "unset"), ("search", "a")
    ]  # fmt: skip
    assert values(ops) == {"changed": 1, "unset": 1, "later": 1}
    assert values(ops, scope=SEARCH) == {"a": 1}
    release = ops.get(f"{RELEASES}/{answer['revision']}").json
    assert (release["kind"], release["note"]) == ("undo", "undone")


def test_undo_of_an_undo_is_the_release_again(ops: Caller) -> None:
    """As often as one likes."""
    put(ops, "a", 1)
    put(ops, "a", 2)
    for turn in range(6):
        assert undo(ops, newest(ops)).status_code == 200
        assert values(ops) == {"a": 2 if turn % 2 else 1}


def test_undo_collides_with_later_changes(ops: Caller) -> None:
    """It writes nothing, and names each key in the way with the release that touched it last."""
    ops.post("/v1/namespaces/payments/keys", {"key": "a", "type": "int"})
    ops.post("/v1/namespaces/payments/keys", {"key": "b", "type": "int"})
    first = ops.patch(CONFIG, {"changes": [{"key": "a", "value": 1}, {"key": "b", "value": 1}]}).json["revision"]
    put(ops, "b", 2)
    put(ops, "b", 3)
    answer = undo(ops, first)
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert answer.json["conflicts"] == [{"namespace": "payments", "key": "b", "revision": 3}]
    assert values(ops) == {"a": 1, "b": 3}
    assert newest(ops) == 3
    assert undo(ops, 3).status_code == 200
    assert undo(ops, 2).json["conflicts"][0]["revision"] == 4, "an undo is a later change like any other"


def test_undo_collides_with_a_key_that_is_gone(ops: Caller) -> None:
    """A key that is declared no more, or anew, can't be put back."""
    put(ops, "a", 1)
    unset(ops, "a")
    ops.delete("/v1/namespaces/payments/keys/a")
    for declare in (False, True):
        if declare:
            ops.post("/v1/namespaces/payments/keys", {"key": "a", "type": "int"})
        answer = undo(ops, 2)
        assert answer.status_code == 409
        assert [conflict["key"] for conflict in answer.json["conflicts"]] == ["a"]


def test_undo_of_what_is_not_there(ops: Caller) -> None:
    """The beginning, the future and what is no number."""
    put(ops, "a", 1)
    for revision, status in (("0", 404), ("2", 404), ("x", 400), ("1.5", 400)):
        assert ops.post(f"{RELEASES}/{revision}/undo", {}).status_code == status, revision
    assert ops.post(f"{RELEASES}/1/undo", None).status_code == 200, "a body is not needed"


def test_undo_takes_rights_on_all_that_the_release_touched(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Who sees only a part of it, or may write only a part of it, undoes nothing."""
    put(ops, "a", 1)
    put(ops, "a", 1, SEARCH)
    both = [{"namespace": name, "key": "a", "value": 2} for name in ("payments", "search")]
    revision = ops.post(RELEASES, {"changes": both}).json["revision"]
    assert undo(limited("ops", "payments"), revision).status_code == 404
    assert undo(limited("viewer", "*"), revision).status_code == 403
    assert (values(ops), values(ops, scope=SEARCH)) == ({"a": 2}, {"a": 2})


# Ways back among writers ---------------------------------------------------------------------------------------------


def test_restores_race_with_writers(ops: Caller) -> None:
    """A restore is planned anew when a writer was faster: with it the scope is as it was, and no write is lost."""
    for key in ("a", "b"):
        put(ops, key, 0)
    then = newest(ops)

    def write(key: str) -> list[int]:
        return [put(ops, key, number)["revision"] for number in range(1, 16)]

    def go_back() -> list[dict[str, Any]]:
        answers = [restore(ops, then) for _ in range(8)]
        assert {answer.status_code for answer in answers} <= {200, 409}
        return [answer.json for answer in answers if answer.status_code == 200]

    first, second, restored = at_once(lambda: write("a"), lambda: write("b"), go_back)
    releases = first + second + [answer["revision"] for answer in restored if answer["changed"]]
    assert sorted(releases) == list(range(then + 1, newest(ops) + 1)), (
        "every success is one release, and no other is there"
    )
    for answer in restored:
        assert values(ops, f"?revision={answer['revision']}") == {"a": 0, "b": 0}
    _check_every_release(ops)


def test_undos_race_with_writers(ops: Caller) -> None:
    """An undo goes through or names the release in its way; it never takes back more than its own release."""
    for key in ("a", "b"):
        put(ops, key, 0)
    base = newest(ops)

    def write(key: str) -> None:
        for number in range(1, 16):
            put(ops, key, number)

    def take_back() -> None:
        for _ in range(12):
            revision = newest(ops)
            if revision > base:
                answer = undo(ops, revision)
                assert answer.status_code in (200, 409)
                if answer.status_code == 200 and answer.json["changed"]:
                    undone = ops.get(f"{RELEASES}/{revision}").json["changes"]
                    now = answer.json["revision"]
                    (key,) = [change["key"] for change in undone]
                    before = values(ops, f"?revision={revision - 1}")[key]
                    assert values(ops, f"?revision={now}")[key] == before
                    assert values(ops, f"?revision={now - 1}")[key] == undone[0]["value"], "nobody came in between"

    at_once(lambda: write("a"), lambda: write("b"), take_back)
    _check_every_release(ops)


def _check_every_release(caller: Caller) -> None:
    """Each state is the one before with the changes of its release, and each release has changed what it says."""
    state: dict[str, object] = {}
    for revision in range(1, newest(caller) + 1):
        changes = caller.get(f"{RELEASES}/{revision}").json["changes"]
        assert changes
        for change in changes:
            before = state.pop(change["key"], None)
            if not change.get("deleted"):
                assert change["value"] != before
                state[change["key"]] = change["value"]
        assert values(caller, f"?revision={revision}") == state


# What all writes have in common --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Write:
    """One kind of write, about payments/a, which is 1 at revision 1, 2 at 2, and can be written once more."""

    method: str
    path: str
    body: object

    def send(self, caller: Caller, query: str = "", **headers: str) -> Any:
        """Send it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return caller.send(self.method, self.path + query, self.body, headers=named)


WRITES = {
    "put": Write("PUT", f"{CONFIG}/a", {"value": 3}),
    "put-type": Write("PUT", f"{CONFIG}/a", {"value": 3, "type": "int"}),
    "delete": Write("DELETE", f"{CONFIG}/a", None),
    "patch": Write("PATCH", CONFIG, {"changes": [{"key": "a", "value": 3}]}),
    "release": Write("POST", RELEASES, {"changes": [{"namespace": "payments", "key": "a", "value": 3}]}),
    "rollback": Write("POST", f"{CONFIG}/a/rollback", {"version": 1}),
    "restore": Write("POST", f"{SCOPE}/restore", {"revision": 1}),
    "undo": Write("POST", f"{RELEASES}/2/undo", None),
    "promote": Write("POST", f"{SCOPE}/promote", {"from": "development"}),
}
#: Where a promotion takes its value from.
SOURCE = "/v1/namespaces/payments/envs/development/config/a"
every_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@pytest.fixture
def a_key(ops: Caller) -> None:
    """payments/a: 1 at revision 1, 2 at revision 2, and 3 in another environment."""
    put(ops, "a", 1)
    put(ops, "a", 2)
    assert ops.put(SOURCE, {"value": 3}).status_code == 200


@every_write
def test_a_repeat_is_answered_as_the_first_time(ops: Caller, a_key: None, write: Write) -> None:
    """Also when the plan would be impossible by now: the key has changed, and then it is gone."""
    first = write.send(ops, Idempotency_Key="k")
    assert (first.status_code, first.json["changed"]) == (200, True)
    put(ops, "a", 9)
    unset(ops, "a")
    assert ops.delete(SOURCE).status_code == 200
    for gone in (False, True):
        again = write.send(ops, Idempotency_Key="k")
        assert (again.status_code, again.data) == (200, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
        if not gone:
            assert ops.delete("/v1/namespaces/payments/keys/a").status_code == 204
    assert newest(ops) == 5


@every_write
def test_a_repeated_no_op_stays_one(ops: Caller, a_key: None, write: Write) -> None:
    """What changed nothing the first time changes nothing when it comes again, although it would now."""
    write.send(ops)
    if write is WRITES["undo"]:  # an undo that changes nothing is a conflict
        return
    first = write.send(ops, Idempotency_Key="k")
    assert (first.status_code, first.json["changed"]) == (200, False)
    put(ops, "a", 9)
    again = write.send(ops, Idempotency_Key="k")
    assert (again.data, again.headers.get("Idempotent-Replayed")) == (first.data, "true")
    assert values(ops) == {"a": 9}


@every_write
def test_two_first_requests_at_once_are_one(ops: Caller, a_key: None, write: Write) -> None:
    """Both get the same answer, and there is one release."""
    answers = at_once(*[lambda: write.send(ops, Idempotency_Key="k")] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data
    assert newest(ops) == 3


@every_write
def test_a_condition_holds_or_nothing_is_written(ops: Caller, a_key: None, write: Write) -> None:
    """If-Match of the scope and of the key: 412 when it has changed, also for what would change nothing."""
    scope, key = ops.get(CONFIG).headers["ETag"], ops.get(f"{CONFIG}/a").headers["ETag"]
    old_scope = ops.get(f"{CONFIG}?revision=1").headers["ETag"]
    for stale in (old_scope, '"v1"', '"v0"', '"r2.0000000000000000"'):
        answer = write.send(ops, If_Match=stale)
        assert (answer.status_code, answer.json["code"]) == (412, "revision_mismatch"), stale
    assert write.send(ops, "?dry_run=true", If_Match=old_scope).status_code == 412
    assert newest(ops) == 2
    assert write.send(ops, "?dry_run=true", If_Match=scope).status_code == 200
    assert write.send(ops, If_Match=scope).status_code == 200
    assert write.send(ops, If_Match=scope).status_code in (409, 412), "now it has changed; an undo collides, too"
    assert write.send(ops, If_Match=key).status_code in (400, 409, 412)
    assert newest(ops) == 3


@every_write
def test_a_dry_run_says_all_and_writes_nothing(
    ops: Caller, a_key: None, write: Write, database: fix_database.Database
) -> None:
    """The answer of the write, with the difference, and not one row more or less in any table."""
    before = _rows(database)
    trial = write.send(ops, "?dry_run=true", Idempotency_Key="k")
    assert trial.status_code == 200, trial.text
    assert "Idempotent-Replayed" not in trial.headers
    assert _rows(database) == before
    real = write.send(ops, "?dry_run=false", Idempotency_Key="k")
    said, done = dict(trial.json), dict(real.json)
    (difference,) = said.pop("diff")
    assert difference["from"] == {"version": 2, "value": 2}
    (change,) = done["changes"]
    after = None if change.get("deleted") else {"version": 3, "value": change["value"]}
    assert (difference["namespace"], difference["key"], difference["type"]) == ("payments", "a", "int")
    assert difference["to"] == after
    assert said.pop("review_required") is False
    assert said.pop("watchers") == {"count": 0, "services": []}
    assert said.pop("cursor").partition(".")[0] == done.pop("cursor").partition(".")[0]
    assert said == done
    # Written once, it is tried as if for the first time: a trial is no repeat.
    again = write.send(ops, "?dry_run=true", Idempotency_Key="k")
    assert "Idempotent-Replayed" not in again.headers
    assert again.status_code == 409 if write is WRITES["undo"] else again.json["diff"] == []


def test_a_dry_run_declares_nothing(ops: Caller, database: fix_database.Database) -> None:
    """A PUT that would declare its key shows the value as new, and leaves no key."""
    before = _rows(database)
    answer = ops.put(f"{CONFIG}/a?dry_run=true", {"value": 1, "type": "int"})
    assert answer.json["diff"] == [
        {"namespace": "payments", "key": "a", "type": "int", "from": None, "to": {"version": 1, "value": 1}}
    ]
    assert _rows(database) == before
    assert ops.get("/v1/namespaces/payments/keys/a").status_code == 404


def test_a_dry_run_checks_like_the_real_thing(ops: Caller, a_key: None, limited: Callable[..., Caller]) -> None:
    """Types, rights, names and collisions are refused in the same words; a dry_run that is no switch is 400."""
    for caller, write in (
        (ops, Write("PUT", f"{CONFIG}/a", {"value": "3"})),
        (ops, Write("PUT", f"{CONFIG}/nobody", {"value": 3})),
        (ops, Write("PUT", f"{CONFIG}/a", {"value": "3", "type": "string"})),
        (ops, Write("POST", f"{RELEASES}/1/undo", None)),
        (ops, Write("POST", f"{SCOPE}/restore", {"revision": 9})),
        (ops, Write("POST", f"{CONFIG}/a/rollback", {"version": 9})),
        (limited("viewer"), WRITES["put"]),
        (limited("viewer"), WRITES["restore"]),
        (limited("ops", "search"), WRITES["undo"]),
    ):
        answers = [write.send(caller, query, X_Request_Id="same") for query in ("", "?dry_run=true")]
        assert answers[0].status_code >= 400
        assert answers[0].data == answers[1].data
    for query in ("?dry_run=1", "?dry_run=", "?dry_run=True", "?dryrun=true", "?dry_run=true&dry_run=true"):
        assert WRITES["put"].send(ops, query).status_code == 400, query


def test_a_dry_run_names_reviews_and_watchers(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """A protected environment takes a review; who has synced lately and follows what changes is counted by service."""
    for scope in (SCOPE, SEARCH):
        put(ops, "a", 1, scope)
    production = "/v1/namespaces/payments/envs/production/config/a?dry_run=true"
    assert ops.put(production, {"value": 1}).json["review_required"] is True
    service = caller("service")
    for number, (name, namespaces) in enumerate(
        (("checkout", ["payments"]), ("checkout", ["search", "payments"]), ("indexer", ["search"]))
    ):
        body = {"client": {"id": str(number), "service": name}, "env": "staging", "namespaces": namespaces}
        assert service.post("/v1/sync", body).status_code == 200

    def watchers(namespaces: list[str]) -> object:
        changes = [{"namespace": name, "key": "a", "value": 2} for name in namespaces]
        return ops.post(f"{RELEASES}?dry_run=true", {"changes": changes}).json["watchers"]

    deadline = time.monotonic() + 10  # reports are written every second
    while watchers(["payments", "search"]) != {"count": 3, "services": ["checkout", "indexer"]}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert watchers(["payments"]) == {"count": 2, "services": ["checkout"]}
    assert watchers(["search"]) == {"count": 2, "services": ["checkout", "indexer"]}
    assert ops.put(production, {"value": 1}).json["watchers"] == {"count": 0, "services": []}
    no_op = ops.put(f"{CONFIG}/a?dry_run=true", {"value": 1}).json
    assert (no_op["changed"], no_op["diff"], no_op["watchers"]["count"]) == (False, [], 0)


def test_dry_runs_among_writers_take_no_number(ops: Caller, a_key: None) -> None:
    """A trial holds the environment's lock for a moment and gives its number back: no gap, no fork."""

    def write() -> list[int]:
        return [put(ops, "b", number)["revision"] for number in range(20)]

    def try_out() -> list[int]:
        return [WRITES["put"].send(ops, "?dry_run=true").status_code for _ in range(20)]

    first, tried = at_once(write, try_out)
    assert first == list(range(3, 23))
    assert set(tried) == {200}
    _check_every_release(ops)


def _rows(database: fix_database.Database) -> dict[str, list[Any]]:
    """All rows of all tables that a write could touch."""
    tables = (
        "environment", "namespace", "config_key", "config_version", "release", "scope", "audit_event", "outbox",
        "idempotency",
    )  # fmt: skip
    with psycopg.connect(database.superuser_url) as connection:
        return {
            table: connection.execute(f"SELECT t.*::text FROM {table} t ORDER BY 1").fetchall()  # type: ignore[arg-type]
            for table in tables
        }
