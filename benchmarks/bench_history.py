"""What history costs: a young database beside one of a million versions, and an old revision beside the newest.

Two databases of one Postgres with the same 20 namespaces of 100 keys; one has a single version of each key, the other
500, made by a million releases. The same statements as the service's, on its own role, in turns.

    python -m benchmarks.bench_history [--versions 1000000]

CONFIGSVC_TEST_DATABASE_URL, a superuser's, names another Postgres than the embedded one.
"""

import argparse
import itertools
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import conninfo, sql

from benchmarks.results import Figure, note, verdict
from configsvc.dev.ports import free_port
from configsvc.dev.postgres import PostgresServer, set_password
from configsvc.dev.supervisor import Supervisor
from configsvc.store import config, history, releases
from configsvc.store.audit import Origin
from configsvc.store.database import Database
from configsvc.store.migrate import migrate

NAMESPACES, KEYS = 20, 100
VERSIONS = 1_000_000
CALLS = 500
#: "Costs at most twice": reading an old revision against the newest.
OLD_READ_MAX = 2.0
#: "Nothing but storage grows": 1 within what two databases in one server differ anyway.
GROWTH_MAX = 1.25
#: Releases of the scope whose old revision is read.
LONG_RELEASES, OLD_REVISION = 10_000, 10
ENV, NAMESPACE = "development", "ns-7"
SERVICE_ROLE = "configsvc_service"

DECLARE: LiteralString = """
INSERT INTO namespace (name, created_by) SELECT 'ns-' || n, 'bench' FROM generate_series(0, %(namespaces)s - 1) n;
INSERT INTO config_key (namespace_id, name, type, created_by)
SELECT s.id, 'key-' || k, 'int', 'bench' FROM namespace s, generate_series(1, %(keys)s) k
"""
# Release r changes one key: all keys take turns. Straight into the tables, as a restore of a dump would.
GROW: LiteralString = """
CREATE TEMPORARY TABLE place AS
SELECT id, namespace_id, row_number() OVER (ORDER BY id) - 1 AS turn FROM config_key;
INSERT INTO config_version
    (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at)
SELECT 1, p.namespace_id, p.id, 1 + r / %(all_keys)s, 1 + r, r, false, r >= %(releases)s - %(all_keys)s, 'bench',
       now() - interval '1 year' + r * interval '1 second'
FROM generate_series(0, %(releases)s - 1) r JOIN place p ON p.turn = r %% %(all_keys)s ORDER BY r;
INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at)
SELECT 1, 1 + r, sha256(r::text::bytea), 'edit', '', ARRAY[n.name], 'bench',
       now() - interval '1 year' + r * interval '1 second'
FROM generate_series(0, %(releases)s - 1) r JOIN place p ON p.turn = r %% %(all_keys)s
JOIN namespace n ON n.id = p.namespace_id ORDER BY r;
INSERT INTO audit_event
    (env_id, revision, action, actor, request_id, address, details, created_at, chain, namespaces, hash)
SELECT 1, revision, 'release.edit', 'bench', '', '', '{}', created_at, 1, namespaces, hash
FROM release WHERE revision > 0 AND env_id = 1 ORDER BY revision;
INSERT INTO outbox (env_id, revision, published_at) SELECT 1, revision, created_at FROM release
WHERE revision > %(releases)s - 1000 AND env_id = 1;
INSERT INTO scope SELECT 1, namespace_id, max(revision), %(keys)s, 1000 FROM config_version GROUP BY namespace_id;
UPDATE environment SET revision = %(releases)s WHERE id = 1
"""

Call = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=VERSIONS)
    versions = max(parser.parse_args().versions // (NAMESPACES * KEYS), 1) * NAMESPACES * KEYS
    with postgres_url() as url, ExitStack() as cleanup:
        young = cleanup.enter_context(database(url, NAMESPACES * KEYS))
        old = cleanup.enter_context(database(url, versions))
        print(f"{NAMESPACES * KEYS:,} versions beside {versions:,} in one Postgres; median of a call, in µs")
        before, after = calls(young, NAMESPACES * KEYS), calls(old, versions)
        for name in before:
            _print(name, "young", before[name], "old", after[name], GROWTH_MAX)
        newest, past = _long_history(young)
        _analyze(url, young)
        _print(
            f"100 keys, {LONG_RELEASES:,} releases", "newest", newest, f"revision {OLD_REVISION}", past, OLD_READ_MAX
        )


def _print(name: str, first: str, base: Call, second: str, other: Call, ratio_max: float) -> None:
    ours, theirs = medians_us(base, other)
    ratio = theirs / ours
    met = ratio <= ratio_max
    note(Figure("What a million versions cost, of a young database", name, ratio, "x", reach=f"≤ {ratio_max}", met=met))
    times = f"{first} {ours:7.0f}   {second} {theirs:7.0f}"
    print(f"{name:<28} {times}   ratio {ratio:.2f} (at most {ratio_max}: {verdict(met)})", flush=True)


def medians_us(*calls: Call) -> list[float]:
    """Each call's median, in turns after each single one: a busy neighbour spoils all alike."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(CALLS):
        for call, taken in zip(calls, times, strict=True):
            begin = time.perf_counter()
            call()
            taken.append(time.perf_counter() - begin)
    return [statistics.median(taken) * 1e6 for taken in times]


def calls(database: Database, revision: int) -> dict[str, Call]:
    """What is asked of both databases: what readers, writers and clients do all day."""
    label = config.scope_label(database, NAMESPACE, ENV)
    key = database.one(
        "SELECT k.id FROM config_key k JOIN namespace n ON n.id = k.namespace_id WHERE n.name = %(name)s LIMIT 1",
        {"name": NAMESPACE},
    )
    assert label is not None
    assert key is not None
    values = itertools.count(10**12)

    def write() -> object:
        release = releases.Commit(1, "edit", "", [key["id"]], [str(next(values))], [1])
        with database.connection() as connection:
            return releases.commit(connection, release, Origin("bench", "request", "127.0.0.1"), None)

    return {
        "read: look-up (304)": lambda: config.scope_label(database, NAMESPACE, ENV),
        "read: a scope of 100 keys": lambda: config.scope_at(database, 1, label["namespace_id"], revision),
        "read: one key": lambda: config.active(database, NAMESPACE, ENV, "key-3"),
        "sync: nothing new": lambda: config.newest(database, ENV),
        "sync: 100 releases behind": lambda: _behind(database, label["namespace_id"], revision),
        "list: releases": lambda: history.releases(database, ENV, None, revision, 50),
        "list: versions of a key": lambda: history.versions(database, NAMESPACE, ENV, "key-3", 10**9, 1),
        "write: one key": write,
    }


def _behind(database: Database, namespace_id: int, revision: int) -> object:
    config.labels(database, ENV, [NAMESPACE], revision - 100)
    return config.changes_between(database, 1, [namespace_id], revision - 100, revision)


def _long_history(database: Database) -> tuple[Call, Call]:
    """Make 10,000 releases in one scope of another environment, by the service's own function."""
    keys = database.all(
        "SELECT id, namespace_id FROM config_key WHERE namespace_id = (SELECT id FROM namespace WHERE name = %(name)s)",
        {"name": NAMESPACE},
    )
    env_id, namespace_id = 2, keys[0]["namespace_id"]
    origin = Origin("bench", "request", "127.0.0.1")
    with database.transaction() as connection:
        everything = [row["id"] for row in keys]
        first = releases.Commit(env_id, "edit", "", everything, ["0"] * len(keys), [1] * len(keys))
        releases.commit(connection, first, origin, None)
        for number in range(LONG_RELEASES):
            change = releases.Commit(env_id, "edit", "", [everything[number % len(keys)]], [str(number + 1)], [1])
            releases.commit(connection, change, origin, None)
    newest = LONG_RELEASES + 1
    return (
        lambda: config.scope_at(database, env_id, namespace_id, newest),
        lambda: config.scope_at(database, env_id, namespace_id, OLD_REVISION),
    )


def _analyze(server_url: str, database: Database) -> None:
    """Do at once what autovacuum does within a minute: plans from the scope's youth are made anew."""
    row = database.one("SELECT current_database() AS name")
    assert row is not None
    with psycopg.connect(conninfo.make_conninfo(server_url, dbname=row["name"]), autocommit=True) as connection:
        connection.execute("ANALYZE config_version")


@contextmanager
def postgres_url() -> Iterator[str]:
    """A superuser's address of a Postgres: the one that is named, else one of its own."""
    if url := os.environ.get("CONFIGSVC_TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as somebody else
        server = PostgresServer(folder / "data", free_port(), "bench")
        with Supervisor(folder, print) as supervisor:
            supervisor.start(server.program())
            yield server.url()


@contextmanager
def database(server_url: str, versions: int, namespaces: int = NAMESPACES, keys: int = KEYS) -> Iterator[Database]:
    """A database with so many versions, on connections of the service's role."""
    name = f"configsvc_bench_{secrets.token_hex(4)}"
    url = conninfo.make_conninfo(server_url, dbname=name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        migrate(url)
        set_password(url, SERVICE_ROLE, "bench")
        _fill(url, versions, namespaces, keys)
        made = Database(conninfo.make_conninfo(url, user=SERVICE_ROLE, password="bench"))
        yield made
        made.close()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _fill(url: str, versions: int, namespaces: int, keys: int) -> None:
    numbers = {"namespaces": namespaces, "keys": keys, "all_keys": namespaces * keys, "releases": versions}
    with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger per row
        cursor.execute(DECLARE, numbers)
        cursor.execute(GROW, numbers)
        cursor.execute("VACUUM ANALYZE")
        cursor.connection.close()


if __name__ == "__main__":
    main()
