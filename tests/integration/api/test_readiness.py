"""What a readiness probe is told while parts go away and come back."""

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
from psycopg.conninfo import make_conninfo

from configsvc.app import close, create_app
from configsvc.delivery.pulse import Pulse
from configsvc.dev.part import Part
from configsvc.dev.ports import free_port
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from configsvc.errors import Unavailable
from configsvc.service import readiness
from configsvc.service.readiness import Probe
from configsvc.settings import Settings
from configsvc.store import readiness as store
from configsvc.store.database import Database as Store
from tests.delivery import superuser, wait_until
from tests.fix_database import Database
from tests.integration.api.conftest import Caller
from tests.integration.api.proxy import Proxy

WHOLE = {"postgres": "ok", "schema": "ok", "redis": "ok", "relay": "ok"}
#: Of what Postgres tells, while it tells nothing.
UNKNOWN = {"postgres": "down", "schema": "unknown", "relay": "unknown"}
#: Longer than anybody here waits.
BLOCKED_S = 30


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[tuple[ValkeyServer, Part]]:
    """A Valkey of this test's own."""
    server = ValkeyServer(free_port(), "test")
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        supervisor.start(server.program())
        yield server, supervisor.part(server.program().name)


@pytest.fixture
def anybody(
    proxy: Proxy,
    valkey: tuple[ValkeyServer, Part],
    settings: Settings,
    database: Database,
    role_tokens: Mapping[str, str],
) -> Iterator[Caller]:
    """A caller without a token, of a service with its own doors; a relay leads for an hour."""
    url = make_conninfo(settings.database_url, host="127.0.0.1", port=proxy.port)
    own = settings.model_copy(update={"database_url": url, "redis_url": valkey[0].url, "redis_admin_url": None})
    run(database, "UPDATE relay_lease SET expires_at = clock_timestamp() + interval '1 hour'")
    app = create_app(own)
    yield Caller(app, None)
    close(app)


def run(database: Database, statement: str) -> None:
    """Change the database behind the service's back."""
    with superuser(database.superuser_url) as connection:
        connection.execute(statement)


def told(caller: Caller) -> tuple[int, str, dict[str, Any]]:
    """Status code, word and parts."""
    answer = caller.get("/readyz")
    return answer.status_code, answer.json.get("status"), answer.json["parts"]


def becomes(caller: Caller, *expected: Any) -> None:
    """Wait until that is what is told: it may be a second old."""
    wait_until(lambda: told(caller) == expected)


def test_all_is_well(anybody: Caller) -> None:
    """With everything in place it is ready, and nothing waits."""
    answer = anybody.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"status": "ready", "parts": WHOLE, "unpublished_s": 0.0})


def test_without_redis_it_stays_in(anybody: Caller, valkey: tuple[ValkeyServer, Part]) -> None:
    """Redis that has stopped is named, and no reason to send nobody; it is noticed when it is back."""
    _, server = valkey
    becomes(anybody, 200, "ready", WHOLE)
    server.stop()
    becomes(anybody, 200, "degraded", WHOLE | {"redis": "down"})
    server.start()
    becomes(anybody, 200, "ready", WHOLE)


def test_without_postgres_it_is_out(anybody: Caller, proxy: Proxy) -> None:
    """It answers 503 with what it knows of each part, and is back by itself."""
    becomes(anybody, 200, "ready", WHOLE)
    proxy.shut()
    answer = anybody.get("/readyz")
    while answer.status_code == 200:  # it may be a second old
        answer = anybody.get("/readyz")
    assert answer.json["parts"] == {**UNKNOWN, "redis": "ok"}
    assert (answer.json["code"], answer.headers["Retry-After"]) == ("unavailable", "1")
    assert "postgres is down" in answer.json["detail"]
    proxy.open()
    becomes(anybody, 200, "ready", WHOLE)


class Held:
    """What the first look-up of a probe goes through: it takes as long as the test likes, and may fail."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.fails = False
        self._schema = store.schema

    def schema(self, database: Store) -> store.SchemaState:
        """In place of the real one."""
        self.answers.wait(BLOCKED_S)
        if self.fails:
            raise Unavailable("a test")
        return self._schema(database)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A hand on the look-up, and probes that wait for a moment only and remember nothing."""
    held = Held()
    monkeypatch.setattr(store, "schema", held.schema)
    monkeypatch.setattr(readiness, "ANSWER_S", 0.1)
    monkeypatch.setattr(readiness, "CACHE_S", 0.0)
    yield held
    held.answers.set()


def test_a_postgres_that_is_slow_is_named_before_it_answers(
    anybody: Caller, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe waits for no part; for as long as requests would wait, too, it stays in, and is out after that."""
    becomes(anybody, 200, "ready", WHOLE)
    held.answers.clear()
    becomes(anybody, 200, "degraded", WHOLE | {"postgres": "slow"})
    monkeypatch.setattr(readiness, "POOL_WAIT_S", 0.0)
    assert told(anybody) == (503, 503, {**UNKNOWN, "redis": "ok"})
    held.answers.set()
    becomes(anybody, 200, "ready", WHOLE)


def test_an_answer_that_comes_between_two_probes_counts(anybody: Caller, held: Held) -> None:
    """Nobody waited for it any more, but from then on Postgres is down, and not slow again with each probe."""
    becomes(anybody, 200, "ready", WHOLE)
    held.answers.clear()
    becomes(anybody, 200, "degraded", WHOLE | {"postgres": "slow"})
    held.fails = True
    held.answers.set()
    wait_until(lambda: "configsvc-probe" not in {thread.name for thread in threading.enumerate()})
    held.answers.clear()
    assert told(anybody) == (503, 503, {**UNKNOWN, "redis": "ok"})


def test_ports_that_swallow_everything_keep_no_probe(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody answers from the beginning, the probe is told so while connecting still goes on."""
    monkeypatch.setattr(readiness, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as swallows:
        port = swallows.getsockname()[1]
        database = Store(make_conninfo(settings.database_url, host="127.0.0.1", port=port))
        pulse = Pulse(f"redis://127.0.0.1:{port}/0")
        found = Probe(database, pulse, time.monotonic).readiness()
        assert (found.ready, found.parts) == (False, {**UNKNOWN, "redis": "down"})
        assert {"configsvc-probe", "configsvc-pulse"} <= {thread.name for thread in threading.enumerate()}
    database.close()
    pulse.close()


def test_the_schema_decides(anybody: Caller, database: Database) -> None:
    """A database that lacks a migration is not served; one that a newer configsvc has migrated is."""
    run(database, "INSERT INTO schema_migration (name) VALUES ('9999_come_from_the_future')")
    becomes(anybody, 200, "ready", WHOLE | {"schema": "ahead"})
    run(database, "DELETE FROM schema_migration WHERE name LIKE '0003%'")
    becomes(anybody, 503, 503, WHOLE | {"schema": "behind", "relay": "unknown"})


def test_a_database_without_a_schema_is_no_bug(empty_database: Database, settings: Settings) -> None:
    """Before the first migration, a probe is told that the schema is behind."""
    app = create_app(settings.model_copy(update={"database_url": empty_database.superuser_url}))
    try:
        assert told(Caller(app, None))[2]["schema"] == "behind"
    finally:
        close(app)


def test_a_relay_that_is_late_or_gone_is_named(
    anybody: Caller, database: Database, role_tokens: Mapping[str, str]
) -> None:
    """What waits to be published for too long, and that nobody leads."""
    ops = Caller(anybody.app, role_tokens["ops"])
    ops.put("/v1/namespaces/payments/envs/staging/config/a", {"value": 1, "type": "int"})
    run(database, "UPDATE outbox SET created_at = created_at - interval '1 minute'")
    becomes(anybody, 200, "degraded", WHOLE | {"relay": "late"})
    assert anybody.get("/readyz").json["unpublished_s"] >= 60
    run(database, "UPDATE outbox SET published_at = clock_timestamp()")
    run(database, "UPDATE relay_lease SET expires_at = '-infinity'")
    becomes(anybody, 200, "degraded", WHOLE | {"relay": "none"})


def test_many_probes_are_one_look(anybody: Caller, valkey: tuple[ValkeyServer, Part]) -> None:
    """However many ask, Redis is asked about once a second."""
    with redis.Redis.from_url(valkey[0].url) as connection:

        def pings() -> int:
            return int(connection.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))

        before = pings()
        with ThreadPoolExecutor(10) as threads:
            answers = list(threads.map(lambda _: told(anybody), range(60)))
        assert {answer[0] for answer in answers} == {200}
        assert 1 <= pings() - before <= 5
