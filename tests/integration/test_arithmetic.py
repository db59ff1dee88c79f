"""What docs/scaling.md says that a client, a worker, a relay and a release cost, counted by Postgres and Redis."""

import json
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from benchmarks import arithmetic
from benchmarks.crowd import Wanted, crowd
from configsvc.dev.stack import Stack
from tests.delivery import wait_until
from tests.integration.test_held_scale import send as ask

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

NAMESPACE, ENV, PATH = "counted", "staging", "namespaces/counted/envs/staging/config/rate"
WEB, HUB, RELAY = "configsvc", "configsvc hub", "configsvc relay"
#: By words of theirs: a worker's reports, a token's rights, the newest revision of an environment.
REPORTS, RIGHTS, STATE = "report_clients", "FROM token", "FROM environment e JOIN release r"
SECONDS = 5
SYNCS, SUBSCRIBERS, RELEASES = 200, 200, 20
_STATEMENT = re.compile(r"^(.*)\|LOG:  (?:statement|execute [^:]*): ")


class Counts:
    """The statements that Postgres has logged since it was made: each with who sent it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._from = log.stat().st_size

    def statements(self) -> list[tuple[str, str]]:
        """Each as (application, text)."""
        found: list[tuple[str, str]] = []
        with self._log.open(encoding="utf-8") as log:
            log.seek(self._from)
            for line in log:
                if begun := _STATEMENT.match(line):
                    found.append((begun[1], line[begun.end() :].strip()))
                elif found and line.startswith("\t"):
                    found[-1] = found[-1][0], f"{found[-1][1]} {line.strip()}"
        return found

    def of(self, application: str, *words: str) -> int:
        """How many this application sent with one of these words in them, or all that it sent."""
        texts = [text for who, text in self.statements() if who == application]
        return sum(any(word in text for word in words) for text in texts) if words else len(texts)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker, one relay, and a Postgres that logs every statement with its sender."""
    with Stack(tmp_path_factory.mktemp("counted") / "stack", workers=1) as running:
        with psycopg.connect(running.superuser_url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET log_statement = 'all'")
            connection.execute("ALTER SYSTEM SET log_line_prefix = '%a|'")
            connection.execute("SELECT pg_reload_conf()")
        ask(running, "admin", "POST", "namespaces", {"name": NAMESPACE})
        ask(running, "admin", "POST", f"namespaces/{NAMESPACE}/keys", {"key": "rate", "type": "int"})
        put(running, 0)
        yield running


@pytest.fixture
def counts(stack: Stack) -> Callable[[], Counts]:
    """Begins to count, in a quiet moment."""
    log = stack.keys_file.parent / "logs" / "postgres.log"

    def begin() -> Counts:
        counting = Counts(log)
        # Two turns of everything that happens every second: what came before is over.
        wait_until(lambda: counting.of(HUB) >= 2)
        return Counts(log)

    return begin


def put(stack: Stack, value: int) -> int:
    """Make a release of one key; its revision."""
    return int(ask(stack, "ops", "PUT", PATH, {"value": value})["revision"])


def sync(stack: Stack, number: int, have: dict[str, Any] | None = None) -> dict[str, Any]:
    """One sync of one client."""
    client = {"id": str(uuid.UUID(int=number)), "service": "counted", "transport": "redis"}
    known = {"have": have["cursor"], "view": have["view"]} if have else {}
    return ask(stack, "service", "POST", "sync", {"client": client, "env": ENV, "namespaces": [NAMESPACE], **known})


def test_a_worker_and_a_relay_cost_a_few_statements_a_second(counts: Callable[[], Counts]) -> None:
    """Whether anybody asks or not."""
    counted, began_at = counts(), time.monotonic()
    wait_until(lambda: counted.of(HUB) >= SECONDS)
    most = time.monotonic() - began_at + 1
    assert counted.of(HUB) + counted.of(WEB) <= most * arithmetic.PER_WORKER_S
    assert counted.of(RELAY, "lease") <= most * arithmetic.PER_RELAY_S


def test_a_sync_with_nothing_new_is_one_look_up(stack: Stack, counts: Callable[[], Counts]) -> None:
    """Its rights come from memory, and its report goes with those of others, one statement a second."""
    first = sync(stack, 0)
    counted, began_at = counts(), time.monotonic()
    for number in range(SYNCS):
        assert sync(stack, number, first)["kind"] == "none"
    most = time.monotonic() - began_at + 2
    assert counted.of(WEB, STATE) == SYNCS
    assert counted.of(WEB, RIGHTS) <= most / arithmetic.RIGHTS_S + 1
    assert counted.of(WEB, REPORTS) <= most
    assert counted.of(WEB) == counted.of(WEB, STATE, RIGHTS, REPORTS)


def test_a_write_and_its_way_out_are_six_statements(stack: Stack, counts: Callable[[], Counts]) -> None:
    """Three of the service, three of the relay, one of which is a turn like that of every second."""
    counted = counts()
    for value in range(RELEASES):
        put(stack, 1000 + value)
        wait_until(lambda value=value: counted.of(RELAY, "UPDATE outbox SET published_at") > value)  # type: ignore[misc]
    own = counted.of(WEB) - counted.of(WEB, REPORTS)
    assert own == RELEASES * arithmetic.PER_WRITE
    ways_out = counted.of(RELAY, "UPDATE outbox SET published_at", "over the limit")
    assert ways_out == RELEASES * (arithmetic.PER_PUBLISH - 1)


@pytest.mark.parametrize("held", [50, 500])
def test_a_release_costs_the_same_however_many_are_held(stack: Stack, counts: Callable[[], Counts], held: int) -> None:
    """All whom it wakes share their look-ups, and so do those whose holds end and begin."""
    first, address = sync(stack, 0), urlsplit(stack.url)
    where = (str(address.hostname), int(address.port or 0))
    wanted = Wanted(where, stack.tokens["service"], ENV, (NAMESPACE,), first["cursor"], first["view"])
    with crowd(wanted, held) as clients:
        counted, began_at = counts(), time.monotonic()
        clients.next(put(stack, held))
        seconds = time.monotonic() - began_at + 1
        assert counted.of(WEB, STATE, RIGHTS) <= seconds * arithmetic.SHARED_PER_S_MAX


def test_what_redis_sends_is_messages_times_subscribers(stack: Stack) -> None:
    """Parts to those who follow the namespace, headers to everybody; all else is less than a hundredth."""
    part, header = f"config:changes:{NAMESPACE}:{ENV}", f"config:releases:{ENV}"
    with ExitStack() as ends:
        counter = ends.enter_context(redis.Redis.from_url(stack.redis_url))
        listener = ends.enter_context(counter.pubsub(ignore_subscribe_messages=True))
        subscribers = [ends.enter_context(subscribed(stack, part, header)) for _ in range(SUBSCRIBERS)]
        listener.subscribe(part, header)
        before = sent_bytes(counter)
        last = [put(stack, 2000 + value) for value in range(RELEASES)][-1]
        predicted, heard = 0, 0
        while heard < last:
            message = listener.get_message(timeout=5)
            if message is None:
                continue
            channel, frame = message["channel"].decode(), message["data"]
            predicted += (SUBSCRIBERS + 1) * arithmetic.delivered_bytes(channel, frame)
            if channel == header:
                heard = json.loads(frame.split(b".", 3)[3])["revision"]
        counted = sent_bytes(counter) - before
        assert len(subscribers) == SUBSCRIBERS
        assert abs(counted - predicted) <= predicted / 100
        print(f"a release of one key: {predicted / RELEASES / (SUBSCRIBERS + 1):.0f} bytes a subscriber")  # noqa: T201


def sent_bytes(counter: "redis.Redis") -> int:
    """What Redis says that it has sent to all its clients."""
    return int(counter.info("stats")["total_net_output_bytes"])


def subscribed(stack: Stack, *channels: str) -> socket.socket:
    """A connection that has subscribed, and reads whatever comes."""
    address = urlsplit(stack.redis_url)
    connection = socket.create_connection((str(address.hostname), int(address.port or 0)), 5)
    connection.sendall(f"AUTH {address.username} {address.password}\r\nSUBSCRIBE {' '.join(channels)}\r\n".encode())
    told = b""
    while told.count(b"subscribe\r\n") < len(channels):
        told += connection.recv(4096)
    threading.Thread(target=_drain, args=(connection,), daemon=True).start()
    return connection


def _drain(connection: socket.socket) -> None:
    try:
        while connection.recv(65536):
            pass
    except OSError:
        return
