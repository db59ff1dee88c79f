"""The database goes away and comes back; the service says so and serves again."""

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from configsvc.app import close, create_app
from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.api.conftest import Caller
from tests.integration.api.proxy import Proxy

SCOPE = "/v1/namespaces/payments/envs/staging/config"
#: A caller gets an answer within this time, whatever the database does: the pool's patience, and some.
ANSWER_WITHIN_S = 8.0
#: Promised in DESIGN.md §3: everything is back within this time after a fault ends.
BACK_WITHIN_S = 10.0


@pytest.fixture
def ops(proxy: Proxy, settings: Settings, role_tokens: Mapping[str, str]) -> Iterator[Caller]:
    """A caller of a service that reaches its database through the door."""
    url = make_conninfo(settings.database_url, host="127.0.0.1", port=proxy.port)
    app = create_app(settings.model_copy(update={"database_url": url}))
    yield Caller(app, role_tokens["ops"])
    close(app)


def test_without_a_database_every_call_is_503_soon_and_works_again_after(ops: Caller, proxy: Proxy) -> None:
    """All that needs the database answers 503 with Retry-After, in seconds; liveness does not need it."""
    assert ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).status_code == 200
    etag = ops.get(SCOPE).headers["ETag"]
    proxy.shut()
    sync = {"client": {"id": "1", "service": "test"}, "env": "staging", "namespaces": ["payments"], "wait_s": 1}
    calls = [
        ("GET", SCOPE, None),
        ("GET", f"{SCOPE}/a", None),
        ("PUT", f"{SCOPE}/a", {"value": 2}),
        ("POST", "/v1/sync", sync),
        ("GET", f"{SCOPE.removesuffix('config')}watch?timeout=1", None),
        ("GET", "/readyz", None),
    ]
    started = time.monotonic()
    with ThreadPoolExecutor(len(calls)) as threads:
        answers = list(threads.map(lambda call: ops.send(*call), calls))
    assert time.monotonic() - started < ANSWER_WITHIN_S
    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable"), answer.request.path
        assert int(answer.headers["Retry-After"]) >= 1
        assert "127.0.0.1" not in answer.text
    assert ops.get("/healthz").status_code == 200
    proxy.open()
    _eventually_served(ops)
    assert ops.get(SCOPE).headers["ETag"] == etag
    assert ops.put(f"{SCOPE}/a", {"value": 2}).status_code == 200


def test_a_held_request_outlives_a_short_outage_or_says_503(ops: Caller, proxy: Proxy) -> None:
    """A watch that was held when the database went ends with an answer, and a new one hears of the next release."""
    assert ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).status_code == 200
    proxy.shut()
    assert ops.get(f"{SCOPE.removesuffix('config')}watch?since=1&timeout=1").status_code == 503
    proxy.open()
    _eventually_served(ops)
    assert ops.put(f"{SCOPE}/a", {"value": 2}).status_code == 200
    answer = ops.get(f"{SCOPE.removesuffix('config')}watch?since=1&timeout=10")
    assert answer.json["changes"] == [{"key": "a", "type": "int", "value": 2, "version": 2}]


def test_broken_connections_are_replaced(ops: Caller, database: Database) -> None:
    """Postgres ends all connections, as at a failover: after a moment nobody meets a dead one any more."""
    assert ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).status_code == 200
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    _eventually_served(ops)
    for value in range(20):
        assert ops.put(f"{SCOPE}/a", {"value": value}).status_code == 200


def _eventually_served(ops: Caller) -> None:
    deadline = time.monotonic() + BACK_WITHIN_S
    while (answer := ops.get("/readyz")).status_code != 200:
        assert answer.status_code == 503
        assert time.monotonic() < deadline, "not back in time"
