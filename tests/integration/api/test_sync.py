"""Sync and watch over HTTP: full, changes, none, reset; held requests, and what wakes them."""

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from configsvc.settings import Settings
from configsvc.store.audit import Origin
from configsvc.store.database import Database as Store
from configsvc.store.releases import Commit, commit
from tests.fix_database import Database
from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging"
ANSWER = {"kind", "reset", "revision", "cursor", "view", "next_sync_s", "report_within_s", "push"}


def ask(have: str | None = None, view: str | None = None, wait_s: float = 0, **more: object) -> dict[str, object]:
    """A sync request's body."""
    client = {"id": "6f3c9d1e", "service": "checkout", "host": "web-1", "pid": 7, "sdk": "test", "transport": "none"}
    return {
        "client": client,
        "env": "staging",
        "namespaces": ["payments", "search"],
        "have": have,
        "view": view,
        "wait_s": wait_s,
    } | more


def sync(caller: Caller, *args: Any, **more: Any) -> dict[str, Any]:
    """Sync, and return the answer."""
    answer = caller.post("/v1/sync", ask(*args, **more))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json
    assert set(document) == ANSWER | {"full": {"values"}, "changes": {"changes"}, "none": set()}[document["kind"]]
    return document


def write(caller: Caller, namespace: str, key: str, value: int) -> dict[str, Any]:
    """Set an int key, declaring it if need be."""
    path = f"/v1/namespaces/{namespace}/envs/staging/config/{key}"
    answer = caller.put(path, {"value": value, "type": "int"})
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json
    return document


def test_a_client_with_nothing_gets_everything(ops: Caller, settings: Settings) -> None:
    """Without ``have`` the answer is ``full``: every namespace asked for, and how to hear of what comes."""
    write(ops, "payments", "a", 1)
    last = write(ops, "global", "other", 1)
    answer = sync(ops)
    assert (answer["kind"], answer["reset"], answer["revision"]) == ("full", False, 2)
    assert answer["cursor"] == last["cursor"]
    assert answer["values"] == {
        "payments": {"a": {"value": 1, "type": "int", "version": 1, "secret": False}},
        "search": {},
    }
    assert answer["push"]["url"].startswith(settings.push_redis_url.partition("{env}")[0] + "staging:")
    assert all(len(kid) == 16 and len(key) == 43 for kid, key in answer["push"]["keys"].items())
    assert (answer["next_sync_s"], answer["report_within_s"]) == (settings.next_sync_s, 2)


def test_a_client_behind_gets_what_changed(ops: Caller) -> None:
    """With ``have`` and ``view`` of the last answer: each key's last change, oldest first, by namespace."""
    write(ops, "payments", "a", 1)
    before = sync(ops)
    write(ops, "payments", "b", 1)
    write(ops, "payments", "a", 2)
    write(ops, "payments", "b", 2)
    ops.delete(f"{SCOPE}/config/a")
    after = sync(ops, before["cursor"], before["view"])
    assert (after["kind"], after["reset"], after["revision"], after["view"]) == ("changes", False, 5, before["view"])
    assert after["changes"] == {
        "payments": [
            {"key": "b", "type": "int", "value": 2, "version": 2},
            {"key": "a", "deleted": True, "version": 3},
        ]
    }


def test_nothing_new_is_none_though_the_cursor_may_move(ops: Caller) -> None:
    """Releases elsewhere in the environment move the cursor and change nothing."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    same = sync(ops, first["cursor"], first["view"])
    assert (same["kind"], same["cursor"]) == ("none", first["cursor"])
    last = write(ops, "global", "a", 1)
    moved = sync(ops, first["cursor"], first["view"])
    assert (moved["kind"], moved["cursor"], moved["revision"]) == ("none", last["cursor"], 2)


def test_a_state_of_another_history_is_reset(ops: Caller) -> None:
    """A ``have`` that is not in this history, older, newer or no cursor at all, gets ``full`` with ``reset``."""
    write(ops, "payments", "a", 1)
    now = sync(ops)
    for have in (
        "0.0000000000000000",
        "1.0000000000000000",
        "7.0123456789abcdef",
        "nonsense",
        "1",
        now["cursor"] + "0",
    ):
        answer = sync(ops, have, now["view"])
        assert (answer["kind"], answer["reset"], answer["cursor"]) == ("full", True, now["cursor"]), have
        assert answer["values"]["payments"]["a"]["value"] == 1


def test_another_view_is_full(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Who sees with other rights than the state was loaded with, or names no view, gets everything; no ``reset``."""
    write(ops, "payments", "a", 1)
    mine = sync(ops)
    assert sync(caller("service"))["view"] != mine["view"]
    for view in (None, "other", sync(caller("service"))["view"]):
        answer = sync(ops, mine["cursor"], view)
        assert (answer["kind"], answer["reset"], answer["view"]) == ("full", False, mine["view"])
    wider = sync(ops, mine["cursor"], mine["view"], namespaces=["payments", "search", "global"])
    assert wider["kind"] == "full"


def test_namespaces_are_a_set(ops: Caller) -> None:
    """Order and repetition of the namespaces make no difference, to the view either."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    answer = sync(ops, first["cursor"], first["view"], namespaces=["search", "payments", "search"])
    assert answer["kind"] == "none"


def test_a_key_declared_anew_replaces_the_old_one(ops: Caller) -> None:
    """Delete, declare with another type and set: a client that missed all of it ends with the new one."""
    write(ops, "payments", "a", 1)
    before = sync(ops)
    ops.delete(f"{SCOPE}/config/a")
    assert ops.delete("/v1/namespaces/payments/keys/a").status_code == 204
    ops.put(f"{SCOPE}/config/a", {"value": "x", "type": "string"})
    changes = sync(ops, before["cursor"], before["view"])["changes"]["payments"]
    shown: dict[str, Any] = {"a": 1}
    for change in changes:
        shown.pop(change["key"], None)
        if not change.get("deleted"):
            shown[change["key"]] = change["value"]
    assert shown == {"a": "x"}
    assert changes[-1]["type"] == "string"
    ops.delete(f"{SCOPE}/config/a")
    assert sync(ops)["values"]["payments"] == {}


def test_far_behind_is_full(ops: Caller, database: Database, settings: Settings) -> None:
    """Up to 1,000 revisions behind a client gets changes, beyond that everything."""
    write(ops, "payments", "a", 1)
    before = sync(ops)
    with psycopg.connect(database.superuser_url) as connection:
        env_id, key_id = connection.execute("SELECT env_id, key_id FROM config_version").fetchall()[0]
    store = Store(settings.database_url)
    with store.connection() as connection:
        for value in range(2, 1002):
            commit(connection, Commit(env_id, "edit", "", [key_id], [str(value)], [1]), Origin("test", "", ""), None)
    store.close()
    answer = sync(ops, before["cursor"], before["view"])
    assert (answer["kind"], answer["revision"]) == ("changes", 1001)
    assert answer["changes"]["payments"] == [{"key": "a", "type": "int", "value": 1001, "version": 1001}]
    write(ops, "payments", "a", 0)
    answer = sync(ops, before["cursor"], before["view"])
    assert (answer["kind"], answer["reset"]) == ("full", False)
    assert answer["values"]["payments"]["a"]["value"] == 0


def test_an_unknown_namespace_fails_the_whole_call(ops: Caller, limited: Callable[..., Caller]) -> None:
    """What is not there, or hidden, is named, all of it at once, and nothing else is told."""
    for namespaces in (["nobody"], ["payments", "nobody"], ["Not A Name", "payments"]):
        answer = ops.post("/v1/sync", ask(namespaces=namespaces))
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
        assert next(name for name in namespaces if name != "payments") in answer.json["detail"]
    narrow = limited("service", "payments", ["staging"])
    answer = narrow.post("/v1/sync", ask(namespaces=["payments", "search", "nobody"]))
    assert answer.status_code == 404
    assert "search, nobody" in answer.json["detail"]
    assert narrow.post("/v1/sync", ask(env="production", namespaces=["payments"])).status_code == 404
    assert ops.post("/v1/sync", ask(env="nowhere")).status_code == 404
    assert narrow.post("/v1/sync", ask(namespaces=["payments"])).status_code == 200


def test_a_client_is_listed_with_what_it_has(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Within seconds of its sync a client is a watcher, to those who may read one of its namespaces, and only there."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    sync(ops, first["cursor"], first["view"])
    deadline = time.monotonic() + 10
    while not (seen := ops.get("/v1/envs/staging/watchers").json["items"]):
        assert time.monotonic() < deadline
    assert [(one["client_id"], one["service"], one["pid"], one["revision"]) for one in seen] == [
        ("6f3c9d1e", "checkout", 7, 1)
    ]
    assert sorted(seen[0]["namespaces"]) == ["payments", "search"]
    assert ops.get("/v1/envs/staging/watchers?namespace=global").json["items"] == []
    assert ops.get("/v1/envs/production/watchers").json["items"] == []
    narrow = limited("viewer", "pay*")
    assert narrow.get("/v1/envs/staging/watchers").json["items"][0]["namespaces"] == ["payments"]
    assert limited("viewer", "global").get("/v1/envs/staging/watchers").json["items"] == []
    assert narrow.get("/v1/envs/staging/watchers?namespace=search").status_code == 404


def test_a_wrong_sync_request_is_refused(ops: Caller) -> None:
    """Each part of the request is checked; what the contract does not know is no part of it."""
    client = ask()["client"]
    assert isinstance(client, dict)
    bad: list[dict[str, object]] = [
        {"wait_s": 5.1},
        {"wait_s": -1},
        {"wait_s": "1"},
        {"wait_s": True},
        {"namespaces": []},
        {"namespaces": "payments"},
        {"namespaces": [f"n{number}" for number in range(101)]},
        {"env": None},
        {"have": 45},
        {"client": None},
        {"client": client | {"transport": "smoke"}},
        {"client": client | {"pid": "7"}},
        {"client": client | {"pid": 2**31}},
        {"client": client | {"colour": "red"}},
        {"client": {"id": "1"}},
        {"colour": "red"},
    ]
    for change in bad:
        assert ops.post("/v1/sync", ask(**change)).status_code == 422, change  # type: ignore[arg-type]
    assert ops.post("/v1/sync?wait=1", ask()).status_code == 400
    rejected = {"cursor": "1.0123456789abcdef", "reason": "limit is negative"}
    assert ops.post("/v1/sync", ask(client=client | {"rejected": rejected, "transport": "redis"})).status_code == 200


class Held:
    """A request that runs in a thread, because it is held."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self.started = time.monotonic()
        self._thread.start()

    def _run(self) -> None:
        self.answer = self._call()
        self.ended = time.monotonic()

    def result(self) -> Any:
        """Wait for the answer and return it."""
        self._thread.join(15)
        assert not self._thread.is_alive()
        return self.answer


def test_a_held_sync_is_answered_by_a_release(ops: Caller) -> None:
    """With nothing new the request waits, and the release that comes is in its answer, long before its time is over."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    held = Held(lambda: sync(ops, first["cursor"], first["view"], wait_s=5))
    written = write(ops, "payments", "a", 2)
    answer = held.result()
    assert (answer["kind"], answer["cursor"]) == ("changes", written["cursor"])
    assert answer["changes"]["payments"][0]["value"] == 2
    assert held.ended - held.started < 5


def test_a_held_sync_ends_in_time(ops: Caller) -> None:
    """Nothing happens: after ``wait_s`` the answer is ``none``, and not sooner than a fifth before that."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    held = Held(lambda: sync(ops, first["cursor"], first["view"], wait_s=0.3))
    assert held.result()["kind"] == "none"
    assert held.ended - held.started >= 0.8 * 0.3


def test_a_release_in_another_environment_wakes_nobody(ops: Caller) -> None:
    """A held request answers for its own environment alone."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    held = Held(lambda: sync(ops, first["cursor"], first["view"], wait_s=0.5))
    ops.put("/v1/namespaces/payments/envs/production/config/a", {"value": 9})
    assert held.result()["kind"] == "none"
    assert held.ended - held.started >= 0.8 * 0.5


def test_what_is_new_already_is_not_held(ops: Caller) -> None:
    """A request with something to answer never waits, however long it would."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    write(ops, "payments", "a", 2)
    started = time.monotonic()
    assert sync(ops, first["cursor"], first["view"], wait_s=5)["kind"] == "changes"
    assert sync(ops, wait_s=5)["kind"] == "full"
    assert time.monotonic() - started < 5


def test_the_token_is_checked_again_after_a_hold(
    ops: Caller, limited: Callable[..., Caller], database: Database
) -> None:
    """A token that was revoked while its request was held gets 401 and no settings."""
    write(ops, "payments", "a", 1)
    short = limited("service")
    first = sync(short)
    held = Held(lambda: short.post("/v1/sync", ask(first["cursor"], first["view"], wait_s=5)))
    watched = Held(lambda: short.get(f"{SCOPE}/watch?since=1&timeout=5"))
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE token SET revoked_at = clock_timestamp() WHERE name = 'limited-0'")
    write(ops, "payments", "a", 2)
    for request in (held, watched):
        assert request.result().status_code == 401


def test_watch_tells_what_changed_since_a_revision(ops: Caller) -> None:
    """``since`` a revision or the last answer's cursor: the scope's changes after it, at once if there are any."""
    write(ops, "payments", "a", 1)
    write(ops, "search", "a", 1)
    last = write(ops, "payments", "b", 2)
    answer = ops.get(f"{SCOPE}/watch?since=1&timeout=5").json
    assert answer == {
        "has_changes": True,
        "reset": False,
        "latest_revision": 3,
        "cursor": last["cursor"],
        "changes": [{"key": "b", "type": "int", "value": 2, "version": 1}],
    }
    everything = ops.get(f"{SCOPE}/watch").json
    assert [change["key"] for change in everything["changes"]] == ["a", "b"]
    for since in (3, last["cursor"]):
        nothing = ops.get(f"{SCOPE}/watch?since={since}&timeout=0").json
        assert nothing == {
            "has_changes": False,
            "reset": False,
            "latest_revision": 3,
            "cursor": last["cursor"],
            "changes": [],
        }


@pytest.mark.parametrize("by_cursor", [False, True], ids=["revision", "cursor"])
def test_a_held_watch_is_answered_by_a_change_of_its_scope(ops: Caller, by_cursor: bool) -> None:
    """Releases of other namespaces do not end a watch; one of its own does."""
    first = write(ops, "payments", "a", 1)
    held = Held(lambda: ops.get(f"{SCOPE}/watch?since={first['cursor'] if by_cursor else 1}&timeout=10"))
    write(ops, "search", "a", 1)
    last = write(ops, "payments", "a", 2)
    answer = held.result().json
    assert (answer["has_changes"], answer["cursor"]) == (True, last["cursor"])
    assert answer["changes"] == [{"key": "a", "type": "int", "value": 2, "version": 2}]
    assert held.ended - held.started < 10


def test_a_watch_on_another_history_is_reset(ops: Caller) -> None:
    """A revision or cursor that is not in this history answers at once, with all values."""
    write(ops, "payments", "a", 1)
    for since in ("9", "9.0123456789abcdef", "1.0123456789abcdef", "0.0123456789abcdef"):
        answer = ops.get(f"{SCOPE}/watch?since={since}&timeout=10").json
        assert (answer["has_changes"], answer["reset"], answer["latest_revision"]) == (True, True, 1), since
        assert answer["changes"] == [{"key": "a", "type": "int", "value": 1, "version": 1}]


def test_a_held_request_notices_a_restored_database(ops: Caller, database: Database) -> None:
    """An environment that goes back to an older revision ends the hold, and the client is told to start anew."""
    write(ops, "payments", "a", 1)
    write(ops, "payments", "a", 2)
    first = sync(ops)
    held = Held(lambda: sync(ops, first["cursor"], first["view"], wait_s=5))
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # no triggers: as a restore would leave it
        with connection.transaction():
            connection.execute("DELETE FROM config_version WHERE revision = 2")
            connection.execute("UPDATE config_version SET is_active = true WHERE revision = 1")
            connection.execute("DELETE FROM release WHERE revision = 2")
            connection.execute("UPDATE scope SET revision = 1")
            connection.execute("UPDATE environment SET revision = 1 WHERE name = 'staging'")
    answer = held.result()
    assert (answer["kind"], answer["reset"], answer["revision"]) == ("full", True, 1)
    assert answer["values"]["payments"]["a"]["value"] == 1
