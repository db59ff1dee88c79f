"""The client as applications see it, against a double of the service: real threads, real HTTP, pushes."""

import asyncio
import copy
import json
import logging
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from configclient import Change, ConfigClient, ConfigRejected, MissingKey, Snapshot, WrongType
from configclient._client import CLOSE_TIMEOUT_S
from tests.unit.client.double import TOKEN, Canned, ServiceDouble, new_key, problem

Start = Callable[..., ConfigClient]
WAIT_S = 10  # for things that come within milliseconds, unless they are broken
#: Longer than anybody here waits.
BLOCKED_S = 30


def wait_for_transport(client: ConfigClient, transport: str) -> None:
    """Until the client says that it hears of changes in this way."""
    board = client._board
    with board.changed:
        assert board.changed.wait_for(lambda: client.status().transport == transport, WAIT_S), client.status()


def test_values_are_there_when_the_constructor_returns(start: Start) -> None:
    """All five types read as what they are, and the revision is the environment's."""
    client = start()
    assert client.get("payments", "rate_limit") == 100
    assert client.get_int("payments", "rate_limit") == 100
    assert client.get_str("payments", "name") == "shop"
    assert client.get_bool("payments", "on") is True
    assert client.get_float("payments", "ratio") == 0.5
    assert client.get_json("payments", "tree") == {"a": [1]}
    assert client.snapshot().revision == 1


def test_a_missing_key_gives_the_default(start: Start) -> None:
    """Without a default, `get` and `get_json` give None and the others their type's zero."""
    client = start()
    assert client.get("payments", "nope") is None
    assert client.get("payments", "nope", 5) == 5
    assert client.get_int("payments", "nope", 5) == 5
    assert (client.get_str("payments", "x"), client.get_float("global", "x"), client.get_bool("no", "x")) == (
        "",
        0,
        False,
    )


def test_another_type_gives_the_default_and_one_warning(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """One warning per namespace, key and getter, however often and from however many threads it is read."""
    client = start()
    for _ in range(3):
        assert client.get_int("payments", "name", 7) == 7
    assert client.get_bool("payments", "name") is False
    warned = [record.getMessage() for record in caplog.records if "declared" in record.getMessage()]
    assert warned == [
        "payments/name is declared string, not int: the default is used",
        "payments/name is declared string, not bool: the default is used",
    ]


def test_a_strict_client_raises(start: Start) -> None:
    """Typed getters demand the key and its type; `get` with a default asks for an optional key."""
    client = start(strict=True)
    with pytest.raises(MissingKey, match="payments/nope"):
        client.get_int("payments", "nope", 5)
    with pytest.raises(WrongType, match="payments/name is declared string, not int"):
        client.get_int("payments", "name")
    with pytest.raises(MissingKey):
        client.get("payments", "nope")
    with pytest.raises(MissingKey):
        client.live("payments", "nope")
    with pytest.raises(MissingKey):
        client.snapshot().get_bool("payments", "nope")
    assert client.get("payments", "nope", 5) == 5
    assert client.live("payments", "nope", 5).value == 5


def test_json_values_are_read_only(start: Start) -> None:
    """They equal, print and serialise like plain ones; changing one raises; copies are plain and may be changed."""
    tree = start().get_json("payments", "tree")
    assert (tree, repr(tree), json.dumps(tree)) == ({"a": [1]}, "{'a': [1]}", '{"a": [1]}')
    changes: list[Callable[[], object]] = [
        lambda: tree.update(b=1),
        lambda: tree.__setitem__("b", 1),
        lambda: tree.__ior__({}),
        lambda: tree.pop("a"),
        lambda: tree["a"].append(2),
        lambda: tree["a"].sort(reverse=True),
        lambda: tree["a"].__iadd__([1]),
    ]
    for change in changes:
        with pytest.raises(TypeError, match="read-only"):
            change()
    for clone in (copy.deepcopy(tree), pickle.loads(pickle.dumps(tree))):
        assert type(clone) is dict
        assert type(clone["a"]) is list
    assert type(copy.copy(tree)) is dict


@pytest.mark.parametrize("push", [True, False])
def test_a_change_arrives(service: ServiceDouble, start: Start, push: bool) -> None:
    """Pushed, or by long poll: the new value is there once `wait_for` says so."""
    client = start(push=push)
    wait_for_transport(client, "redis" if push else "longpoll")
    revision = service.commit({"payments": {"rate_limit": 200}, "global": {"new": "x"}})
    assert client.wait_for(revision, WAIT_S)
    assert (client.get("payments", "rate_limit"), client.get("global", "new")) == (200, "x")
    revision = service.commit({"payments": {"rate_limit": None}})
    assert client.wait_for(revision, WAIT_S)
    assert client.get("payments", "rate_limit", "default") == "default"


def test_a_push_needs_no_sync(service: ServiceDouble, start: Start) -> None:
    """With push up, a change is shown though the service answers no request any more."""
    client = start()
    wait_for_transport(client, "redis")
    service.canned.extend([problem(503, "unavailable")] * 1000)
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)


def test_a_lost_push_is_healed_by_the_next_heartbeat(service: ServiceDouble, start: Start) -> None:
    """A heartbeat that names an unknown release makes the client sync."""
    client = start()
    wait_for_transport(client, "redis")
    service.pushing = False
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    assert client.get("payments", "rate_limit") == 200


def test_silence_turns_to_polling_and_back(service: ServiceDouble, start: Start) -> None:
    """Without heartbeats changes come by long poll, though Redis looks fine; with the first one, push counts again."""
    client = start()
    wait_for_transport(client, "redis")
    service.beating = service.pushing = False
    wait_for_transport(client, "longpoll")
    assert client.status().state == "degraded"
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    service.beating = service.pushing = True
    wait_for_transport(client, "redis")
    assert client.status().state == "live"


def test_everything_down_keeps_the_values(service: ServiceDouble, start: Start) -> None:
    """Offline is a state, with its reason, and no loss; back again, the client catches up."""
    client = start()
    wait_for_transport(client, "redis")
    service.beating = service.pushing = False
    service.canned.extend([problem(503, "unavailable")] * 3)
    service.fake_redis.connected = False
    wait_for_transport(client, "none")
    assert client.status().state == "offline"
    assert client.get("payments", "rate_limit") == 100
    revision = service.commit({"payments": {"rate_limit": 200}})
    service.fake_redis.connected = service.beating = True
    assert client.wait_for(revision, WAIT_S)


def test_close_with_everything_down(service: ServiceDouble, start: Start) -> None:
    """Neither a Redis that is gone nor a service that never answers holds up the end; no thread is left."""
    client = start()
    wait_for_transport(client, "redis")
    service.beating = service.pushing = False
    service.canned.extend([Canned(hang=True)] * 10)
    service.fake_redis.connected = False
    seen = len(service.requests)
    service.wait_for_request(lambda _: True, seen)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < CLOSE_TIMEOUT_S
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("configclient")]


def test_a_restored_database_is_followed_loudly(
    service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """After a restore the client shows what is there now, at a lower revision, and the log says so."""
    service.commit({"payments": {"rate_limit": 200}})
    service.commit({"payments": {"rate_limit": 300}})
    client = start()
    wait_for_transport(client, "redis")
    service.restore(1)
    service.commit({"payments": {"name": "other"}})
    board = client._board
    with board.changed:
        assert board.changed.wait_for(lambda: client.get("payments", "name") == "other", WAIT_S)
    assert client.get("payments", "rate_limit") == 100
    assert client.snapshot().revision == 2
    assert any("was replaced" in record.getMessage() for record in caplog.records)


def test_forged_messages_change_nothing(service: ServiceDouble, start: Start) -> None:
    """What is not signed with a key from a sync answer is dropped, and the client goes on."""
    client = start()
    wait_for_transport(client, "redis")
    frame = service.sign(b'{"env":"production"}')
    for bad in (b"", b"x", b"v1.", frame, frame[:-1], frame.replace(service.kid.encode(), b"0" * 16), b"x" * 200_000):
        service.send_frame("config:releases:production", bad)
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)


def test_a_new_signing_key_is_learned(service: ServiceDouble, start: Start) -> None:
    """A message of an unknown signer makes the client sync, which brings the key."""
    client = start()
    wait_for_transport(client, "redis")
    service.kid, service.key, service.public_key = new_key()
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    wait_for_transport(client, "redis")


def test_another_push_url_is_followed(service: ServiceDouble, start: Start) -> None:
    """When a sync answer names another Redis, the client listens there; when it names none, it polls."""
    service.next_sync_s = 1.0
    client = start()
    wait_for_transport(client, "redis")
    service.push_url = "redis://elsewhere:6379"
    with service.news:
        assert service.news.wait_for(lambda: "redis://elsewhere:6379" in service.listeners, WAIT_S)
    wait_for_transport(client, "redis")
    service.offers_push = False
    wait_for_transport(client, "longpoll")
    assert client.status().state == "live"


def test_an_account_that_is_not_there_yet(
    service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis refuses it: the client polls, says so once, tries again, and listens once it is let in."""
    service.knows_account = False
    client = start()
    wait_for_transport(client, "longpoll")
    with service.news:
        assert service.news.wait_for(lambda: len(service.listeners) >= 5, WAIT_S)
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["production: degraded: push: invalid username-password pair or user is disabled."]
    service.knows_account = True
    wait_for_transport(client, "redis")


def test_a_snapshot_never_changes(service: ServiceDouble, start: Start) -> None:
    """It keeps its revision and values; a later one has the new ones."""
    client = start()
    before = client.snapshot()
    client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    assert (before.revision, before.get_int("payments", "rate_limit")) == (1, 100)
    assert (client.snapshot().revision, client.snapshot().get_int("payments", "rate_limit")) == (2, 200)


def test_a_thread_that_is_pinned_reads_one_revision(service: ServiceDouble, start: Start) -> None:
    """Inside the block nothing changes, nested blocks included; other threads and live handles go on."""
    client = start()
    handle = client.live("payments", "rate_limit")
    elsewhere: list[Any] = []
    with client.pinned() as snapshot:
        client.wait_for(service.commit({"payments": {"rate_limit": 200, "name": "new"}}), WAIT_S)
        thread = threading.Thread(target=lambda: elsewhere.append(client.get_int("payments", "rate_limit")))
        thread.start()
        thread.join()
        assert snapshot.revision == client.snapshot().revision == 1
        assert (client.get("payments", "rate_limit"), client.get_str("payments", "name")) == (100, "shop")
        with client.pinned() as inner:
            assert inner.revision == 1
        assert client.get_int("payments", "rate_limit") == 100
        assert handle.value == 200
    assert elsewhere == [200]
    assert client.get("payments", "rate_limit") == 200


def test_a_pin_holds_for_one_client(service: ServiceDouble, start: Start) -> None:
    """Another client in the same thread is not pinned along."""
    one, other = start(), start()
    with one.pinned(), other.pinned():
        revision = service.commit({"payments": {"rate_limit": 200}})
        assert one.wait_for(revision, WAIT_S)
        assert one.get("payments", "rate_limit") == 100
    with one.pinned():
        assert other.wait_for(revision, WAIT_S)
        assert other.get("payments", "rate_limit") == 200


def test_tasks_are_pinned_each_for_itself(service: ServiceDouble, start: Start) -> None:
    """A pinned task keeps its revision over awaits; its neighbour does not; a child reads the pin until it ends."""
    client = start()

    async def main() -> list[list[Any]]:
        changed, ended = asyncio.Event(), asyncio.Event()

        async def child() -> list[Any]:
            await changed.wait()
            during = client.get("payments", "rate_limit")
            await ended.wait()
            with client.pinned():
                return [during, client.get("payments", "rate_limit")]

        async def pinned() -> list[Any]:
            with client.pinned():
                task = asyncio.create_task(child())
                await changed.wait()
                await asyncio.sleep(0)
                value = client.get("payments", "rate_limit")
            ended.set()
            return [value, *await task]

        async def free() -> list[Any]:
            await changed.wait()
            return [client.get("payments", "rate_limit")]

        tasks = [asyncio.create_task(pinned()), asyncio.create_task(free())]
        await asyncio.sleep(0)
        revision = service.commit({"payments": {"rate_limit": 200}})
        assert await asyncio.to_thread(client.wait_for, revision, WAIT_S)
        changed.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [[100, 100, 200], [200]]


def test_a_live_handle_follows(service: ServiceDouble, start: Start) -> None:
    """Its value is the newest, and the default while the key is missing."""
    client = start()
    handle, other = client.live("payments", "rate_limit", 50), client.live("global", "later", "default")
    assert (handle.value, other.value) == (100, "default")
    client.wait_for(service.commit({"payments": {"rate_limit": 200}, "global": {"later": "x"}}), WAIT_S)
    assert (handle.value, other.value) == (200, "x")
    client.wait_for(service.commit({"payments": {"rate_limit": None}}), WAIT_S)
    assert handle.value == 50


def test_listeners_hear_of_their_keys_in_order(service: ServiceDouble, start: Start) -> None:
    """Each matching change once, by revision, old and new value along; none after cancel."""
    client = start()
    heard: list[Any] = []
    done = threading.Event()

    def listen(change: Change) -> None:
        heard.append((change.namespace, change.key, change.old, change.new, change.revision))
        if change.key == "last":
            done.set()

    one_key: list[Change] = []
    client.on_change(listen)
    cancelled = client.on_change(heard.append)
    client.on_change(one_key.append, namespace="payments", key="rate_limit")
    client.on_change(one_key.append, namespace="search")
    cancelled.cancel()
    cancelled.cancel()
    # One by one: a sync that brings several releases at once tells of each key once.
    for changes in ({"payments": {"rate_limit": 200}, "global": {"g": 1}}, {"payments": {"rate_limit": None}}):
        assert client.wait_for(service.commit(changes), WAIT_S)
    service.commit({"global": {"last": True}})
    assert done.wait(WAIT_S)
    assert heard == [
        ("global", "g", None, 1, 2),
        ("payments", "rate_limit", 100, 200, 2),
        ("payments", "rate_limit", 200, None, 3),
        ("global", "last", None, True, 4),
    ]
    assert [change.new for change in one_key] == [200, None]


def test_a_listener_that_raises_stops_nobody(
    service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the others are called."""
    client = start()
    done = threading.Event()
    client.on_change(lambda _: 1 / 0)
    client.on_change(lambda _: done.set())
    service.commit({"payments": {"rate_limit": 200}})
    assert done.wait(WAIT_S)
    assert any("a listener failed on payments/rate_limit" in record.getMessage() for record in caplog.records)


def test_a_listener_that_blocks_holds_up_no_reader(service: ServiceDouble, start: Start) -> None:
    """While one blocks, pushed values are shown all the same."""
    client = start()
    wait_for_transport(client, "redis")
    blocked, release = threading.Event(), threading.Event()

    def block(change: Change) -> None:
        blocked.set()
        release.wait(BLOCKED_S)

    client.on_change(block)
    service.commit({"payments": {"rate_limit": 200}})
    assert blocked.wait(WAIT_S)
    try:
        service.commit({"payments": {"rate_limit": 300}})
        deadline = time.monotonic() + WAIT_S
        # Not `wait_for`: it would wait for a lock, too, if there were one to wait for.
        while client.get("payments", "rate_limit") != 300:
            assert time.monotonic() < deadline
            release.wait(0.01)
    finally:
        release.set()


def test_a_listener_that_is_far_behind_hears_of_each_key_once(
    service: ServiceDouble, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Beyond the bound, waiting changes of a key become one, from the oldest value to the newest, with one warning."""
    monkeypatch.setattr("configclient._board.QUEUE_MAX", 4)
    client = start()
    heard: list[Change] = []
    blocked, release, done = threading.Event(), threading.Event(), threading.Event()

    def listen(change: Change) -> None:
        heard.append(change)
        blocked.set()
        release.wait(BLOCKED_S)
        if change.new == 206:
            done.set()

    client.on_change(listen)
    revision = service.commit({"payments": {"rate_limit": 201}})
    assert blocked.wait(WAIT_S)
    try:
        for value in range(202, 207):
            revision = service.commit({"payments": {"rate_limit": value}})
            assert client.wait_for(revision, WAIT_S)
    finally:
        release.set()
    assert done.wait(WAIT_S)
    assert [(change.old, change.new) for change in heard] == [(100, 201), (201, 206)]
    assert sum("delivered as one" in record.getMessage() for record in caplog.records) == 1


def test_a_listener_may_use_the_client(service: ServiceDouble, start: Start) -> None:
    """Reading, waiting, listening, and even closing from a listener does not deadlock."""
    client = start()
    got: list[Any] = []
    done = threading.Event()

    def use(change: Change) -> None:
        got.extend(
            [client.get("payments", "rate_limit"), client.wait_for(change.revision, 1), client.wait_for(99, 0.01)]
        )
        client.on_change(print).cancel()
        client.close()
        got.append(client.status().state)
        done.set()

    client.on_change(use)
    service.commit({"payments": {"rate_limit": 200}})
    assert done.wait(WAIT_S)
    assert got == [200, True, False, "closed"]


def test_wait_for(service: ServiceDouble, start: Start) -> None:
    """True at once for what is shown, False after the timeout, False when the client is closed meanwhile."""
    client = start()
    assert client.wait_for(1, 0)
    assert not client.wait_for(2, 0.01)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(client.wait_for(2, WAIT_S)))
    thread.start()
    client.close()
    thread.join()
    assert answers == [False]


def test_accept_keeps_the_last_good_snapshot(service: ServiceDouble, start: Start) -> None:
    """A refused change is not shown but followed: the next good one lands on the true state. The service is told."""

    def accept(snapshot: Snapshot) -> None:
        if snapshot.get_int("payments", "rate_limit") > 1000:
            raise ValueError("too high")

    client = start(accept=accept)
    wait_for_transport(client, "redis")
    heard: list[Change] = []
    client.on_change(heard.append)
    service.commit({"payments": {"rate_limit": 2000, "name": "new"}})
    request = service.wait_for_request(lambda request: "rejected" in request["client"])
    assert request["client"]["rejected"] == {"cursor": service.history[-1]["cursor"], "reason": "ValueError: too high"}
    assert request["have"] == service.history[-1]["cursor"]
    status = client.status()
    assert (status.state, status.revision, status.last_error) == ("rejected", 1, "ValueError: too high")
    assert client.get_str("payments", "name") == "shop"
    assert client.wait_for(service.commit({"payments": {"rate_limit": 500}}), WAIT_S)
    assert client.get_str("payments", "name") == "new"
    assert client.status().state == "live"
    service.wait_for_request(lambda request: "rejected" not in request["client"], len(service.requests))


def test_accept_at_the_first_load(start: Start) -> None:
    """A first snapshot that is refused raises, with the reason."""

    def accept(snapshot: Snapshot) -> None:
        raise ValueError(f"not with {snapshot.get_int('payments', 'rate_limit')}")

    with pytest.raises(ConfigRejected, match="ValueError: not with 100"):
        start(accept=accept)


def test_status(service: ServiceDouble, start: Start) -> None:
    """It tells transport, state and revision, and how fresh the values are."""
    client = start()
    wait_for_transport(client, "redis")
    status = client.status()
    assert (status.transport, status.state, status.revision, status.last_error) == ("redis", "live", 1, None)
    assert status.staleness_s is not None
    assert status.staleness_s < WAIT_S
    assert status.last_sync_at is not None
    assert status.since.tzinfo is not None
    client.close()
    assert (client.status().transport, client.status().state) == ("none", "closed")


def test_what_was_applied_is_reported_soon(service: ServiceDouble, start: Start) -> None:
    """After a push, the next sync carries the new cursor within `report_within_s`, long before `next_sync_s`."""
    service.report_within_s = 0.2
    client = start()
    wait_for_transport(client, "redis")
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    cursor = service.history[-1]["cursor"]
    request = service.wait_for_request(lambda request: request["have"] == cursor)
    assert request["wait_s"] == 0
    assert request["client"]["transport"] == "redis"


def test_nothing_secret_is_shown(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token, nor the push password, nor values are in any repr or log line."""
    caplog.set_level(logging.DEBUG)
    client = start()
    wait_for_transport(client, "redis")
    parts = [client, client._refresher._settings, client.snapshot(), client.live("payments", "name"), client.status()]
    parts += [Change("payments", "name", "shop", "shop", 1, secret=True), *client._table.entries.values()]
    shown = " ".join(
        [*map(repr, parts), *(record.getMessage() for record in caplog.records if record.name == "configclient")]
    )
    for secret in (TOKEN, "hush", "shop"):
        assert secret not in shown


def test_nothing_secret_is_pickled(start: Start) -> None:
    """Whatever holds values refuses, a change only if one of its values is secret."""
    client = start()
    change = Change("payments", "name", "old", "new", 1)
    assert pickle.loads(pickle.dumps(change)) == change
    secret = Change("payments", "name", "old", "new", 1, secret=True)
    entry = next(iter(client._table.entries.values()))
    for holder in (client.snapshot(), client.live("payments", "name"), client._table, entry, secret):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(holder)


def test_a_closed_client_keeps_its_values(start: Start) -> None:
    """Closing twice is fine, ends all threads, and reads go on."""
    before = set(threading.enumerate())
    with start() as client:
        wait_for_transport(client, "redis")
    client.close()
    assert {thread.name for thread in set(threading.enumerate()) - before if "configclient" in thread.name} == set()
    assert client.get("payments", "rate_limit") == 100


def test_at_most_two_threads(service: ServiceDouble, start: Start) -> None:
    """A push listener and a refresher; a client without push needs the refresher alone."""

    def ours() -> list[str]:
        return sorted(thread.name for thread in threading.enumerate() if thread.name.startswith("configclient"))

    client = start()
    client.on_change(print)
    wait_for_transport(client, "redis")
    assert ours() == ["configclient-push", "configclient-refresher"]
    client.close()
    start(push=False)
    assert ours() == ["configclient-refresher"]
