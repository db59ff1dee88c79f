"""The sweeper against a real Postgres, as the service's role."""

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
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
    for table in ("idempotency", "outbox", "session", "sign_in_link"):
        rows = service.execute(
            f"EXPLAIN {sweeper.leftovers._SQL[table]}", {"begin": "(0,0)", "end": "(64,0)"}
        ).fetchall()
        assert any("Tid Range Scan" in row["QUERY PLAN"] for row in rows), rows


@pytest.fixture
def sweep(service: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Goes round all tables once, as long as they are short."""
    monkeypatch.setattr(sweeper, "EVERY_S", 0)
    return lambda: Sweeper().sweep(service)


#: A session that is over and one that is not, with the same for links; a draft in each session; and sealed values, each
#: named by what points to it.
PEOPLE: LiteralString = """
INSERT INTO namespace (name, created_by) VALUES ('payments', 'test');
INSERT INTO config_key (namespace_id, name, type, secret, created_by)
    SELECT id, 'password', 'string', true, 'test' FROM namespace;
INSERT INTO token (id, name, secret_hash, created_by, principal) VALUES ('abcdefghijkl', 't', sha256(''), 't', 't');
INSERT INTO session (id_hash, token_id, expires_at) VALUES
    (sha256('over'), 'abcdefghijkl', clock_timestamp() - interval '1 second'),
    (sha256('live'), 'abcdefghijkl', clock_timestamp() + interval '1 hour');
INSERT INTO sign_in_link (secret_hash, token_id, expires_at) SELECT id_hash, token_id, expires_at FROM session;
INSERT INTO data_key (id, namespace_id, env_id, purpose, kek_id, wrapped)
    SELECT gen_random_uuid(), id, 1, 'secret', 'k', '' FROM namespace;
INSERT INTO secret_value (value_id, key_id, data_key_id, nonce, ciphertext, created_at)
    SELECT gen_random_uuid(), k.id, d.id, '123456789012', convert_to('sealed for a ' || w.what, 'utf8'),
           clock_timestamp() - CASE w.what WHEN 'moment' THEN interval '0' ELSE interval '25 hours' END
    FROM config_key k, data_key d,
        unnest('{version,proposal,live draft,draft that is over,nobody,moment}'::text[]) AS w (what);
INSERT INTO config_version
    (env_id, namespace_id, key_id, version, revision, deleted, is_active, created_by, created_at, value_id, fingerprint)
    SELECT 1, k.namespace_id, k.id, 1, 1, false, true, 't', clock_timestamp(), s.value_id, 'f'
    FROM config_key k, secret_value s WHERE s.ciphertext = 'sealed for a version';
INSERT INTO change_request (env_id, note, namespaces, base, digest, author, principal)
    VALUES (1, '', '{payments}', 0, sha256(''), 't', 't');
INSERT INTO request_change (request_id, edition, key_id, base_version, base_definition, value_id, fingerprint)
    SELECT q.id, 1, s.key_id, 0, 1, s.value_id, 'f'
    FROM change_request q, secret_value s WHERE s.ciphertext = 'sealed for a proposal';
INSERT INTO draft_change (session_id, env_id, key_id, base_version, value_id, fingerprint)
    SELECT n.id_hash, 1, s.key_id, 0, s.value_id, 'f' FROM session n, secret_value s
    WHERE (n.id_hash, s.ciphertext) IN (
        (sha256('live'), 'sealed for a live draft'), (sha256('over'), 'sealed for a draft that is over'));
"""


def column(database: Database, query: LiteralString) -> set[object]:
    """The one column of a query."""
    with superuser(database.superuser_url) as connection:
        return {value for row in connection.execute(query).fetchall() for value in row.values()}


def test_sessions_links_and_sealed_values_go(
    database: Database, sweep: Callable[[], None], service: Connection
) -> None:
    """What is over goes, drafts with their session; of sealed values those of a day ago that nothing points to."""
    with superuser(database.superuser_url) as connection:
        connection.execute(PEOPLE)
    sweep()
    for query in (
        "SELECT id_hash <> sha256('live') FROM session",
        "SELECT secret_hash <> sha256('live') FROM sign_in_link",
        "SELECT session_id <> sha256('live') FROM draft_change",
    ):
        assert column(database, query) == {False}
    sweep()
    assert column(database, "SELECT convert_from(ciphertext, 'utf8') FROM secret_value") == {
        f"sealed for a {what}" for what in ("version", "proposal", "live draft", "moment")
    }
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        service.execute("DELETE FROM secret_value")


def test_whether_anything_points_to_a_sealed_value_is_one_descent(service: Connection) -> None:
    """However long history is: each table that may point to one has an index for it."""
    for table in ("config_version", "request_change", "draft_change"):
        rows = service.execute(
            f"EXPLAIN SELECT FROM {table} WHERE value_id = '00000000-0000-0000-0000-000000000000'"
        ).fetchall()
        assert any(f"{table}_value_id" in row["QUERY PLAN"] for row in rows), rows
