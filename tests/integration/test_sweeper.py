"""The sweeper against a real Postgres, as the service's role."""

from collections.abc import Iterator

import pytest

from configsvc.delivery import sweeper
from configsvc.delivery.sweeper import Sweeper
from configsvc.store.database import Connection, connect
from tests.delivery import superuser
from tests.fix_database import Database

#: Rows of about 100 bytes: more than one sweep takes.
ROWS = 20_000


@pytest.fixture
def service(database: Database) -> Iterator[Connection]:
    """The relay's connection."""
    with connect(database.service_url) as connection:
        yield connection


def fill(database: Database) -> None:
    """Every other row is over a day old; of the outbox' old ones every other was never published."""
    with superuser(database.superuser_url) as connection:
        connection.execute(
            "INSERT INTO idempotency (caller, key, request, body_hash, env_id, revision, changed, created_at)"
            " SELECT 'somebody', n::text, 'PUT /somewhere', sha256(''), 1, 0, false,"
            " clock_timestamp() - CASE n %% 2 WHEN 0 THEN interval '23 hours' ELSE interval '25 hours' END"
            " FROM generate_series(1, %s) AS n",
            [ROWS],
        )
        connection.execute(
            "INSERT INTO outbox (env_id, revision, created_at, published_at)"
            " SELECT 1, n, clock_timestamp() - interval '25 hours',"
            " CASE n %% 4 WHEN 0 THEN NULL WHEN 1 THEN clock_timestamp() - interval '25 hours'"
            " ELSE clock_timestamp() - interval '23 hours' END"
            " FROM generate_series(1, %s) AS n",
            [ROWS],
        )


def left(database: Database) -> dict[str, int]:
    """How many rows there are."""
    with superuser(database.superuser_url) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM idempotency) AS idempotency, (SELECT count(*) FROM outbox) AS outbox"
        ).fetchone()
        assert row is not None
        return dict(row)


def test_what_has_served_its_time_goes_and_nothing_else(
    database: Database, service: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few thousand rows at a time, all in the end: answers over a day old, and what was published over a day ago."""
    fill(database)
    monkeypatch.setattr(sweeper, "EVERY_S", 0)
    sweeping = Sweeper()
    sweeping.sweep(service)
    first = left(database)
    assert ROWS * 0.5 < first["idempotency"] < ROWS
    assert ROWS * 0.75 < first["outbox"] < ROWS
    for _ in range(20):
        sweeping.sweep(service)
    assert left(database) == {"idempotency": ROWS // 2, "outbox": ROWS * 3 // 4}
    with superuser(database.superuser_url) as connection:
        row = connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
        assert row == {"count": ROWS // 4}


def test_it_walks_round(database: Database, service: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Having come to the end of a table it begins again: what grows old behind it is found."""
    monkeypatch.setattr(sweeper, "EVERY_S", 0)
    sweeping = Sweeper()
    for _ in range(3):
        sweeping.sweep(service)
    fill(database)
    for _ in range(20):
        sweeping.sweep(service)
    assert left(database)["idempotency"] == ROWS // 2


def test_it_keeps_to_its_time(database: Database, service: Connection) -> None:
    """Asked at every turn of the relay, it sweeps only when it is due."""
    fill(database)
    sweeping = Sweeper()
    sweeping._due_at = float("inf")
    sweeping.sweep(service)
    assert left(database)["outbox"] == ROWS


def test_a_sweep_reads_its_pages_alone(database: Database, service: Connection) -> None:
    """Postgres finds the pages by their numbers: a sweep costs the same in a table of any size."""
    fill(database)
    for table in ("idempotency", "outbox"):
        rows = service.execute(
            f"EXPLAIN {sweeper.leftovers._SQL[table]}", {"begin": "(0,0)", "end": "(64,0)"}
        ).fetchall()
        assert any("Tid Range Scan" in row["QUERY PLAN"] for row in rows), rows
