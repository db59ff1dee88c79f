"""The relay against a real Postgres and a real Redis: what is committed is published, in order, signed."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.crypto.signing import Signer
from configsvc.delivery import relay
from configsvc.errors import SetupError
from configsvc.settings import Settings
from configsvc.store.database import Database as Pool
from tests.delivery import ENVS, Editor, Listener, assert_in_order, superuser, unpublished, wait_until
from tests.fix_database import Database

STOP_TIMEOUT_S = 10.0


@pytest.fixture
def editor(database: Database) -> Iterator[Editor]:
    """Makes releases."""
    pool = Pool(database.service_url)
    yield Editor(pool)
    pool.close()


@pytest.fixture
def listener(settings: Settings) -> Iterator[Listener]:
    """Hears what is published."""
    listener = Listener(settings.redis_url, Signer.load(settings.signing_key_file).public_keys)
    yield listener
    listener.close()


@pytest.fixture
def start_relay(settings: Settings) -> Iterator[Callable[[], Callable[[], None]]]:
    """Starts a relay and gives back what stops it; all are stopped at the end."""
    stops: list[Callable[[], None]] = []

    def start() -> Callable[[], None]:
        asked = threading.Event()
        thread = threading.Thread(target=relay.run, args=(settings, asked))
        thread.start()

        def stop() -> None:
            asked.set()
            thread.join(STOP_TIMEOUT_S)
            assert not thread.is_alive()

        stops.append(stop)
        return stop

    yield start
    for stop in stops:
        stop()


StartRelay = Callable[[], Callable[[], None]]


def test_a_release_is_published_as_parts_then_header(
    editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """A release over two namespaces comes as one part for each, then one header, exactly as in docs/protocol.md."""
    start_relay()
    first = editor.commit("production", {"payments/rate": "100"})
    cursor = f"{first.revision}.{first.hash[:8].hex()}"
    listener.until_header("production", 1)
    second = editor.commit("production", {"search/limit": "7", "payments/rate": "120", "payments/b": "1"})
    listener.until_header("production", 2)
    heard = [message for message in listener.messages if message.json["revision"] == 2]
    assert [message.channel for message in heard[:3]] == [
        "config:changes:payments:production",
        "config:changes:search:production",
        "config:releases:production",
    ]
    new_cursor = f"2.{second.hash[:8].hex()}"
    assert heard[0].json == {
        "env": "production",
        "namespace": "payments",
        "revision": 2,
        "cursor": new_cursor,
        "changes": [
            {"key": "b", "type": "int", "value": 1, "version": 1},
            {"key": "rate", "type": "int", "value": 120, "version": 2},
        ],
    }
    header = heard[2].json
    beat = header.pop("beat")
    assert isinstance(beat, int)
    assert header == {
        "env": "production",
        "revision": 2,
        "cursor": new_cursor,
        "previous": cursor,
        "namespaces": ["payments", "search"],
    }


def test_values_arrive_character_by_character(editor: Editor, listener: Listener, start_relay: StartRelay) -> None:
    """Numbers and texts are published as they were stored; a delete says so."""
    texts = {"n/float": ("float", "1e+22"), "n/zero": ("float", "-0.0"), "n/text": ("string", '"é\\n\u2028"')}
    for path, (type_, _) in texts.items():
        editor.declare(path, type_)
    editor.commit("staging", {path: text for path, (_, text) in texts.items()})
    editor.commit("staging", {"n/zero": None})
    start_relay()
    listener.until_header("staging", 2)
    parts = [message for message in listener.messages if not message.is_header]
    for _, text in texts.values():
        assert f'"value":{text},'.encode() in parts[0].raw
    assert parts[1].json["changes"] == [{"key": "zero", "deleted": True, "version": 2}]


def test_a_large_part_is_null(editor: Editor, listener: Listener, start_relay: StartRelay) -> None:
    """A list over 64 KiB is null, one byte less is sent, and a small part beside a large one is whole."""
    around = len('[{"key":"k","type":"string","value":"","version":1}]')
    for path in ("fits/k", "over/k", "huge/k"):
        editor.declare(path, "string")
    sizes = {"fits/k": 65536 - around, "over/k": 65536 - around + 1, "huge/k": 200_000}
    editor.commit("staging", {path: '"' + "x" * size + '"' for path, size in sizes.items()} | {"small/k": "1"})
    start_relay()
    listener.until_header("staging", 1)
    parts = {message.json["namespace"]: message.json for message in listener.messages if not message.is_header}
    assert parts["fits"]["changes"][0]["value"] == "x" * sizes["fits/k"]
    assert parts["over"]["changes"] is None
    assert parts["huge"]["changes"] is None
    assert parts["small"]["changes"] == [{"key": "k", "type": "int", "value": 1, "version": 1}]


def test_a_secret_is_published_without_its_value(
    editor: Editor, listener: Listener, start_relay: StartRelay, key_file: Path
) -> None:
    """A part says that it changed, and a delete like any other; no message carries what it is."""
    editor.declare("payments/password", "string", secret=True)
    editor.commit_secret("staging", "payments/password", '"hunter2"', key_file)
    editor.commit("staging", {"payments/password": None})
    start_relay()
    listener.until_header("staging", 2)
    parts = [message.json["changes"] for message in listener.messages if not message.is_header]
    assert parts == [
        [{"key": "password", "type": "string", "secret": True, "version": 1}],
        [{"key": "password", "deleted": True, "version": 2}],
    ]
    assert not any(b"hunter2" in message.raw for message in listener.messages)


def test_a_backlog_is_published_in_order_and_marked(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """Releases of two environments, more than a turn takes, are each published once, in order, and marked."""
    production = editor.count("production", 50)
    staging = editor.count("staging", 30)
    start_relay()
    listener.until_header("production", 50)
    listener.until_header("staging", 30)
    assert_in_order(listener, "production")
    assert_in_order(listener, "staging")
    published = [m.json["revision"] for m in listener.messages if not m.is_header and m.json["env"] == "production"]
    assert published == production
    assert [header["revision"] for header in listener.headers("staging")[: len(staging)]] == staging
    with superuser(database.superuser_url) as connection:
        wait_until(lambda: unpublished(connection) == 0)


def test_heartbeats_repeat_the_newest_header(editor: Editor, listener: Listener, start_relay: StartRelay) -> None:
    """Every environment's newest header is repeated with growing beats, that of the empty beginning too."""
    editor.count("production", 2)
    start_relay()
    listener.until(lambda: all(len(listener.headers(env)) >= 4 for env in ENVS))
    for env in ENVS:
        assert_in_order(listener, env)
    last = listener.headers("production")[-2:]
    assert [header["revision"] for header in last] == [2, 2]
    beginning = listener.headers("development")[0]
    assert (beginning["revision"], beginning["previous"], beginning["namespaces"]) == (0, None, [])


def test_a_lost_notification_costs_a_second(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """A release that nobody was notified of is published with the next heartbeat."""
    start_relay()
    editor.count("production", 1)
    listener.until_header("production", 1)
    before = len([message for message in listener.messages if not message.is_header])
    with superuser(database.superuser_url) as connection:
        connection.execute("UPDATE outbox SET published_at = NULL")
        listener.until(lambda: len([message for message in listener.messages if not message.is_header]) > before)
        wait_until(lambda: unpublished(connection) == 0)


def test_beats_grow_whatever_the_clock_does(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """Over restarts, and with a database clock that was set back a day, no beat comes twice or goes back."""
    ahead = 86_400_000_000
    with superuser(database.superuser_url) as connection:
        connection.execute(
            "UPDATE relay_lease SET beat = (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + %s", [ahead]
        )
        start = connection.execute("SELECT beat FROM relay_lease").fetchone()
    assert start is not None
    for revision in (10, 20, 30):
        stop = start_relay()
        editor.count("production", 10)
        listener.until_header("production", revision)
        stop()
    listener.listen()
    assert_in_order(listener, "production")
    # One for each header, with heartbeats: not leaps that would outrun the clock.
    assert 0 < listener.headers("production")[-1]["beat"] - start["beat"] < 10_000


def test_one_of_two_relays_publishes_and_the_other_takes_over(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """While two run, each release comes once; when the leader is stopped, the other one leads at once."""
    stop_first = start_relay()
    editor.count("production", 1)
    listener.until_header("production", 1)
    with superuser(database.superuser_url) as connection:
        first = connection.execute("SELECT holder FROM relay_lease").fetchone()
        start_relay()
        editor.count("production", 30)
        listener.until_header("production", 31)
        assert connection.execute("SELECT holder FROM relay_lease").fetchone() == first
        stop_first()
        editor.count("production", 1)
        listener.until_header("production", 32)
        assert connection.execute("SELECT holder FROM relay_lease").fetchone() != first
    parts = [message.json["revision"] for message in listener.messages if not message.is_header]
    assert parts == list(range(1, 33))
    assert_in_order(listener, "production")


def test_nobody_waits_for_a_lease_of_another_time(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """A leader that died just before the database's clock was set back by an hour keeps nobody from leading."""
    with superuser(database.superuser_url) as connection:
        connection.execute(
            "UPDATE relay_lease SET holder = gen_random_uuid(), expires_at = clock_timestamp() + interval '1 hour'"
        )
    start_relay()
    editor.count("production", 1)
    listener.until_header("production", 1)


def test_a_killed_connection_is_replaced(
    database: Database, editor: Editor, listener: Listener, start_relay: StartRelay
) -> None:
    """When Postgres ends the relay's connection, the relay connects again and goes on."""
    start_relay()
    for revision in (1, 2):
        editor.count("production", 1)
        listener.until_header("production", revision)
        with superuser(database.superuser_url) as connection:
            ended = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'configsvc relay' AND datname = current_database()"
            ).fetchall()
        assert len(ended) == 1
    editor.count("production", 1)
    listener.until_header("production", 3)
    assert_in_order(listener, "production")


def test_a_relay_without_a_usable_key_does_not_start(settings: Settings) -> None:
    """A key file that others may read is refused before anything else happens."""
    settings.signing_key_file.chmod(0o644)
    try:
        with pytest.raises(SetupError, match="chmod 600"):
            relay.run(settings, threading.Event())
    finally:
        settings.signing_key_file.chmod(0o600)


def test_messages_are_compact(editor: Editor, listener: Listener, start_relay: StartRelay) -> None:
    """No byte is spent on spaces."""
    editor.count("production", 1)
    start_relay()
    listener.until_header("production", 1)
    for message in listener.messages:
        assert message.raw == json.dumps(message.json, separators=(",", ":")).encode()
