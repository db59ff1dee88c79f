"""The pool, and how failures of Postgres reach the service."""

import select
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from configsvc.errors import Unavailable
from configsvc.store import database as module
from configsvc.store.database import Database
from tests import fix_database
from tests.integration.store.world import World

#: A request must not hang: this is what waiting for a connection may take, and some for a busy machine.
ANSWER_S = module.POOL_WAIT_S + 5


class Wire:
    """A TCP connection to Postgres that can be cut."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._closing = threading.Event()
        self.port = 0
        self.mend()

    def mend(self) -> None:
        """Listen, on the same port as before."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._carry, args=(self._listener, self._closing), daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """Close everything, and accept nothing any more."""
        self._closing.set()
        self._thread.join()
        for end in (self._listener, *(end for pair in self._pairs for end in pair)):
            end.close()
        self._pairs.clear()

    def _carry(self, listener: socket.socket, closing: threading.Event) -> None:
        peers: dict[socket.socket, socket.socket] = {}
        while not closing.is_set():
            for ready in select.select([listener, *peers], [], [], 0.01)[0]:
                if ready is listener:
                    near, far = listener.accept()[0], socket.create_connection(self._target)
                    self._pairs.append((near, far))
                    peers |= {near: far, far: near}
                elif ready in peers:
                    data = b""
                    with suppress(OSError):
                        data = ready.recv(65536)
                    if data:
                        peers[ready].sendall(data)
                    else:
                        with suppress(OSError):
                            peers[ready].shutdown(socket.SHUT_WR)
                        del peers[ready]


@pytest.fixture
def wire(database: fix_database.Database) -> Iterator[Wire]:
    """A way to this test's database that can be cut."""
    target = conninfo_to_dict(database.service_url)
    wire = Wire(str(target["host"]), int(target["port"] or 5432))
    yield wire
    wire.cut()


def test_a_database_that_went_away_is_unavailable_at_once_and_found_again(
    database: fix_database.Database, wire: Wire
) -> None:
    """Every request of an outage is answered in seconds; soon after it, requests succeed."""
    store = Database(make_conninfo(database.service_url, host="127.0.0.1", port=wire.port))
    assert store.one("SELECT 1 AS one") == {"one": 1}
    wire.cut()
    for _ in range(3):
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            store.one("SELECT 1 AS one")
        assert time.monotonic() - begin < ANSWER_S
    wire.mend()
    store.heal()
    deadline = time.monotonic() + 10
    while True:
        with suppress(Unavailable):
            assert store.one("SELECT 1 AS one") == {"one": 1}
            break
        assert time.monotonic() < deadline
    store.close()


def test_a_database_that_was_never_there_is_unavailable() -> None:
    """So the service starts before its database does."""
    store = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable):
        store.one("SELECT 1 AS one")
    store.close()


def test_a_server_that_only_reads_is_refused(world: World) -> None:
    """A standby lags behind and would pull clients back."""
    world.execute(f'ALTER DATABASE "{world.database.name}" SET default_transaction_read_only = on')
    with pytest.raises(Unavailable):
        world.store.one("SELECT 1 AS one")


def test_a_statement_that_takes_too_long_is_unavailable(world: World) -> None:
    """The bound is the connection's own."""
    assert world.store.one("SHOW statement_timeout") == {"statement_timeout": "8s"}
    with pytest.raises(Unavailable):
        world.store.one("SET statement_timeout = 10; SELECT pg_sleep(10)")


def test_what_is_no_failure_of_the_database_passes(world: World) -> None:
    """The store's modules know what to make of it; and the connection is as good as new."""
    world.namespace("payments")
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        world.namespace("payments")
    assert caught.value.__cause__ is None
    assert world.store.one("SELECT 1 AS one") == {"one": 1}


def test_first_requests_that_come_together_open_one_pool(world: World) -> None:
    """A second one would never be closed."""
    barrier = threading.Barrier(8)

    def ask(_: int) -> object:
        barrier.wait(10)
        world.store.one("SELECT 1 AS one")
        return world.store._pool

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1


def test_closing_twice_is_fine_and_so_is_using_it_again(world: World) -> None:
    """The next request opens it."""
    world.store.close()
    world.store.close()
    assert world.store.one("SELECT 1 AS one") == {"one": 1}


def test_passwords_are_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is logged, its address too, what opens the door is not."""
    store = Database("postgresql://somebody:the-password@127.0.0.1:1/nothing")
    with pytest.raises(Unavailable):
        store.one("SELECT 1 AS one")
    store.close()
    assert "the-password" not in caplog.text
