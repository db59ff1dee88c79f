"""The relay as a process of its own, killed and frozen at the worst moments: everything is published, in order."""

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from configsvc.crypto.signing import Signer
from configsvc.delivery import relay
from configsvc.delivery.accounts import PushAccounts
from configsvc.dev.ports import free_port
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from configsvc.settings import Settings
from configsvc.store.database import Database as Pool
from tests.delivery import DEADLINE_S, Editor, Listener, assert_in_order, gets_in, superuser, unpublished, wait_until
from tests.fix_database import Database

ENV = "production"
RELAY = """
import signal, threading
from configsvc.delivery.relay import run
from configsvc.settings import Settings
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
run(Settings.from_environ(), stop)
"""
WAITS_FOR_KEYS = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'config_key'::regclass"
#: One command that redis-py sends for a message of this environment.
PUBLISH = re.compile(rb"\*3\r\n\$7\r\nPUBLISH\r\n\$\d+\r\nconfig:[^\r]*:production\r\n\$(\d+)\r\n")


class RelayProcess:
    """A relay that can be killed and frozen."""

    def __init__(self, settings: Settings) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
        self._process = subprocess.Popen([sys.executable, "-c", RELAY], env=environ | settings.to_environ())

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it without giving it a chance to do anything, and wait until it is gone."""
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self._process.terminate()
        return self._process.wait(DEADLINE_S)


class RedisProxy:
    """Stands between a relay and Redis: lets a number of the environment's messages through, then nothing at all."""

    def __init__(self, redis_url: str, messages: int) -> None:
        self._address = redis.connection.parse_url(redis_url)  # type: ignore[no-untyped-call]
        self._left = messages
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self.url = redis_url.replace(f":{self._address['port']}", f":{self._server.getsockname()[1]}")
        #: The relay has begun to send what isn't let through, or has sent all that is.
        self.cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Close all connections."""
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                relay_side = self._server.accept()[0]
            except OSError:
                return
            redis_side = socket.create_connection((self._address["host"], self._address["port"]))
            self._sockets += [relay_side, redis_side]
            threading.Thread(target=self._forward, args=(relay_side, redis_side), daemon=True).start()
            threading.Thread(target=self._answer, args=(redis_side, relay_side), daemon=True).start()

    def _forward(self, relay_side: socket.socket, redis_side: socket.socket) -> None:
        waiting = b""
        while data := _receive(relay_side):
            waiting += data
            end = 0
            while not self.cut.is_set() and (command := PUBLISH.search(waiting, end)):
                if self._left == 0:
                    redis_side.sendall(waiting[: command.start()])
                    self.cut.set()
                    return
                whole = command.end() + int(command[1]) + len(b"\r\n")
                if len(waiting) < whole:
                    break
                end = whole
                self._left -= 1
            if not self.cut.is_set() and not PUBLISH.search(waiting, end):
                end = len(waiting)
            redis_side.sendall(waiting[:end])
            waiting = waiting[end:]

    def _answer(self, redis_side: socket.socket, relay_side: socket.socket) -> None:
        while (data := _receive(redis_side)) and not self.cut.is_set():
            if self._left == 0:
                self.cut.set()
                return
            relay_side.sendall(data)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


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


@contextmanager
def running(settings: Settings) -> Iterator[RelayProcess]:
    """A relay process that is gone at the end."""
    process = RelayProcess(settings)
    try:
        yield process
    finally:
        process.kill()


def holder(database: Database) -> object:
    """Who leads, None if nobody does."""
    with superuser(database.superuser_url) as connection:
        row = connection.execute("SELECT holder FROM relay_lease WHERE expires_at > clock_timestamp()").fetchone()
        return row and row["holder"]


@pytest.mark.parametrize("messages", range(7))
def test_killed_between_any_two_steps(
    database: Database, settings: Settings, editor: Editor, listener: Listener, messages: int
) -> None:
    """Killed after any message, or before the mark, the next leader publishes all releases again, in order.

    Three releases are six messages. 0: between commit and part; 1, 3, 5: between part and header; 2, 4: between
    releases; 6: between the last header and the mark.
    """
    editor.count(ENV, 3)
    proxy = RedisProxy(settings.redis_url, messages)
    with running(settings.model_copy(update={"redis_url": proxy.url})) as first:
        assert proxy.cut.wait(DEADLINE_S)
        first.kill()
    listener.until(lambda: len([m for m in listener.messages if m.json["env"] == ENV]) == messages)
    proxy.close()
    with superuser(database.superuser_url) as connection:
        assert unpublished(connection) == 3
        # How long a takeover takes is another test's matter.
        connection.execute("UPDATE relay_lease SET expires_at = '-infinity'")
        with running(settings):
            listener.until_header(ENV, 3, after=messages // 2)
            wait_until(lambda: unpublished(connection) == 0)
    again = [m.json["revision"] for m in listener.messages if m.json["env"] == ENV][messages:]
    assert again[:6] == [1, 1, 2, 2, 3, 3]
    assert_in_order(listener, ENV)


@pytest.mark.long
def test_killed_again_and_again_under_load(settings: Settings, editor: Editor, listener: Listener) -> None:
    """While releases are made without a pause, relays are killed at random moments: nothing is lost, order holds."""
    done = threading.Event()
    made: list[int] = []

    def write() -> None:
        while not done.is_set():
            made.extend(editor.count(ENV, 1))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            with running(settings):
                seen = len(listener.headers(ENV))
                listener.until(lambda seen=seen: len(listener.headers(ENV)) > seen + 20)  # type: ignore[misc]
    finally:
        done.set()
        writer.join()
    with running(settings):
        listener.until_header(ENV, made[-1])
    assert_in_order(listener, ENV)
    parts = [m.json["revision"] for m in listener.messages if not m.is_header and m.json["env"] == ENV]
    assert sorted(set(parts)) == made


@pytest.mark.long
def test_a_frozen_leader_is_replaced_and_publishes_nothing_after(
    database: Database, settings: Settings, editor: Editor, listener: Listener
) -> None:
    """When the leader is frozen another relay leads within 5 s; thawed, the first one publishes nothing more."""
    with running(settings) as first:
        editor.count(ENV, 1)
        listener.until_header(ENV, 1)
        frozen_holder = holder(database)
        with running(settings) as second:
            first.send(signal.SIGSTOP)
            frozen_at = len(listener.messages)
            editor.count(ENV, 5)
            listener.until_header(ENV, 6, after=frozen_at)
            second_holder = holder(database)
            assert second_holder not in (None, frozen_holder)
            first.send(signal.SIGCONT)
            before = len(listener.headers(ENV))
            editor.count(ENV, 5)
            # Some heartbeats, in which the first one has had its turns.
            listener.until(lambda: len(listener.headers(ENV)) >= before + 5 + 3)
            assert holder(database) == second_holder
            assert second.stop() == 0
            # It follows now, and takes over when it may.
            editor.count(ENV, 1)
            listener.until_header(ENV, 12)
            assert holder(database) == frozen_holder
    # A single message of a leader without a lease would be a second copy, or a beat that goes back.
    parts = [m.json["revision"] for m in listener.messages if not m.is_header and m.json["env"] == ENV]
    assert parts == list(range(1, 13))
    assert_in_order(listener, ENV)


def test_a_leader_frozen_before_it_publishes(
    database: Database, settings: Settings, editor: Editor, listener: Listener
) -> None:
    """A leader that is frozen in the middle of a turn for longer than its lease publishes nothing of that turn."""
    with running(settings) as first, superuser(database.superuser_url) as connection:
        editor.count(ENV, 2)
        listener.until_header(ENV, 2)
        with superuser(database.superuser_url) as locking, locking.transaction():
            # Between the renewal, which does not read keys, and the publishing, for which they have to be read.
            locking.execute("LOCK TABLE config_key IN ACCESS EXCLUSIVE MODE")
            connection.execute("UPDATE outbox SET published_at = NULL")
            connection.execute("SELECT pg_notify('configsvc', '')")
            wait_until(lambda: connection.execute(WAITS_FOR_KEYS).fetchone() is not None)
            first.send(signal.SIGSTOP)
        listener.listen()
        heard = len(listener.messages)
        with running(settings) as second:
            listener.until_header(ENV, 2, after=len(listener.headers(ENV)))
            first.send(signal.SIGCONT)
            before = len(listener.headers(ENV))
            listener.until(lambda: len(listener.headers(ENV)) >= before + 3)
            assert second.stop() == 0
    parts = [m.json["revision"] for m in listener.messages[heard:] if not m.is_header]
    assert parts == [1, 2]
    assert_in_order(listener, ENV)


@pytest.mark.long
def test_redis_is_restarted(
    tmp_path: Path, settings: Settings, editor: Editor, caplog: pytest.LogCaptureFixture
) -> None:
    """With Redis down nothing is lost, the log says so once; when it is back all is published, and clients get in."""
    caplog.set_level(logging.INFO, logger="configsvc")
    server = ValkeyServer(free_port(), "test")
    stop = threading.Event()
    with Supervisor(tmp_path, print) as supervisor:
        supervisor.start(server.program())
        own = {"redis_url": server.url, "redis_admin_url": server.url, "push_redis_url": server.push_url}
        thread = threading.Thread(target=relay.run, args=(settings.model_copy(update=own), stop))
        thread.start()
        try:
            _outage(supervisor, server, settings, editor)
        finally:
            stop.set()
            thread.join()
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("configsvc.delivery.")]
    assert len([line for line in lines if "Redis fails" in line]) == 1
    assert len([line for line in lines if "Redis works again" in line]) == 1
    assert not any("test@" in line for line in lines)


def _outage(supervisor: Supervisor, server: ValkeyServer, settings: Settings, editor: Editor) -> None:
    public_keys = Signer.load(settings.signing_key_file).public_keys
    before = Listener(server.url, public_keys)
    editor.count(ENV, 1)
    before.until_header(ENV, 1)
    supervisor.part("valkey").kill(restart=False)
    before.close()
    editor.count(ENV, 30)
    supervisor.part("valkey").start()
    after = Listener(server.url, public_keys)
    after.until_header(ENV, 31)
    assert [m.json["revision"] for m in after.messages if not m.is_header] == list(range(2, 32))
    assert_in_order(after, ENV)
    after.close()
    # Nothing in it has outlived the restart.
    clients_url = PushAccounts(server.push_url, Signer.load(settings.signing_key_file)).url(ENV)
    wait_until(lambda: gets_in(clients_url))


@pytest.mark.long
def test_postgres_connections_are_lost_while_releases_are_made(
    database: Database, settings: Settings, editor: Editor, listener: Listener
) -> None:
    """However often Postgres ends the relay's connection, all is published in order."""
    with running(settings) as process, superuser(database.superuser_url) as connection:
        for revision in range(10, 60, 10):
            editor.count(ENV, 10)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'configsvc relay' AND datname = current_database()"
            )
            listener.until_header(ENV, revision)
        wait_until(lambda: unpublished(connection) == 0)
        assert process.stop() == 0
    assert_in_order(listener, ENV)
