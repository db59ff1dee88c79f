"""No statement of the store reads a whole table of history, however large it has grown."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from configsvc.store.database import Connection, connect
from configsvc.store.queries import load
from configsvc.store.releases import Idempotency
from tests.integration.store.world import World, commit

#: 20 namespaces of 100 keys, and 100 releases of each key.
NAMESPACES, KEYS, RELEASES = 20, 100, 100

GROW = f"""
INSERT INTO namespace (name, created_by) SELECT 'ns-' || n, 'alice' FROM generate_series(1, {NAMESPACES}) n;
INSERT INTO config_key (namespace_id, name, type, created_by)
SELECT s.id, 'key-' || k, 'int', 'alice' FROM namespace s, generate_series(1, {KEYS}) k WHERE s.name LIKE 'ns-%';
INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at)
SELECT 1, r + 20, sha256(r::text::bytea), 'edit', '', '{{}}', 'alice', now() + r * interval '1 second'
FROM generate_series(1, {RELEASES * NAMESPACES}) r;
INSERT INTO config_version
    (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at)
SELECT 1, k.namespace_id, k.id, r, 20 + (r - 1) * {NAMESPACES} + s.place, r, false, r = {RELEASES}, 'alice', now()
FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM namespace WHERE name LIKE 'ns-%') s
JOIN config_key k ON k.namespace_id = s.id, generate_series(1, {RELEASES}) r;
INSERT INTO scope SELECT 1, namespace_id, max(revision), {KEYS}, 1000 FROM config_version
WHERE env_id = 1 GROUP BY namespace_id ON CONFLICT DO NOTHING;
UPDATE environment SET revision = 20 + {RELEASES * NAMESPACES} WHERE id = 1;
"""
LAST = 20 + RELEASES * NAMESPACES
#: A scope of 100 keys, a few releases of 100 changes: no statement below needs more.
ROWS_MAX = 1_000
#: Keys at once: looked up one by one they are far fewer rows than that, and all of them for each key far more.
MANY = 60

#: The queries that read history, with what they are asked.
QUERIES = {
    ("config", "scope_label"): {"namespace": "ns-7", "env": "development"},
    ("config", "labels"): {"namespaces": ["ns-7", "ns-8"], "env": "development", "have": LAST - 5},
    ("config", "scope_at"): {"env_id": 1, "namespace_id": 8, "revision": LAST - 500},
    ("config", "changes_between"): {"env_id": 1, "namespace_ids": [8], "after": LAST - 40, "revision": LAST},
    ("config", "active"): {"namespace": "ns-7", "env": "development", "key": "key-3"},
    ("history", "release_by_revision"): {"env": "development", "revision": LAST - 3},
    ("history", "release_at"): {"env": "development", "at": datetime(2100, 1, 1, tzinfo=UTC)},
    ("history", "releases"): {"env": "development", "namespace": None, "before": LAST, "limit": 50},
    ("history", "versions"): {
        "namespace": "ns-7",
        "env": "development",
        "key": "key-3",
        "before": LAST,
        "limit": 50,
    },
    ("history", "version"): {"namespace": "ns-7", "env": "development", "key": "key-3", "version": 3},
    ("history", "compare"): {"env_id": 1, "namespace_id": 8, "from": LAST - 40, "to": LAST},
    ("history", "undoing"): {"env_id": 1, "revision": LAST - 3},
    ("releases", "changes_of"): {"env_id": 1, "revision": LAST - 3},
    ("catalog", "values_of_key"): {"key_id": 300},
    ("catalog", "resolve_keys"): {"env": "development", "namespaces": ["ns-7"], "keys": ["key-3"]},
}


@pytest.fixture
def grown(world: World) -> Iterator[Connection]:
    """A service's connection that learned its plans on small tables; then 200,000 versions came."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    for turn in range(10):
        world.commit({key: str(-turn)})
    world.execute("VACUUM ANALYZE")  # now Postgres knows for sure that they are small
    with connect(world.database.service_url) as connection:
        for turn in range(10):
            commit(connection, 1, {key: str(turn)})
        with world.above_the_law() as superuser:
            superuser.execute(GROW)
        yield connection


def scans(connection: Connection, work: Callable[[], object]) -> dict[str, str]:
    """Which tables ``work`` read from end to end, or too much of; inside functions too."""
    before = read_so_far(connection)
    work()
    found = {}
    for table, (scans, rows) in read_so_far(connection).items():
        if scans > before[table][0]:
            found[table] = "scanned"
        elif (read := rows - before[table][1]) > ROWS_MAX:
            found[table] = f"{read} rows"
    return found


def read_so_far(connection: Connection) -> dict[str, tuple[int, int]]:
    """What this session has read and not yet reported; the transaction around us holds the report back."""
    rows = connection.execute(
        "SELECT relname, seq_scan, idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('config_key', 'config_version', 'release', 'audit_event')"
    ).fetchall()
    return {row["relname"]: (row["seq_scan"], row["idx_tup_fetch"] or 0) for row in rows}


def test_a_commit_scans_no_table_even_with_plans_from_its_youth(world: World, grown: Connection) -> None:
    """Before any statistics are gathered, and after; with conditions and without."""
    ids = [row["id"] for row in world.query("SELECT id FROM config_key ORDER BY id LIMIT 3")]
    with grown.transaction():
        assert scans(grown, lambda: commit(grown, 1, dict.fromkeys(ids, "1000"))) == {}
    world.execute("ANALYZE")
    idempotency = Idempotency("key", "request", b"hash")
    with grown.transaction():
        assert scans(grown, lambda: commit(grown, 1, dict.fromkeys(ids, "2000"), idempotency=idempotency)) == {}
        assert (
            scans(grown, lambda: commit(grown, 1, {ids[0]: "1"}, if_key_version=22, base=9999, base_namespaces=[9]))
            == {}
        )
        assert scans(grown, lambda: commit(grown, 1, dict.fromkeys(ids, "2000"), idempotency=idempotency)) == {}


@pytest.mark.parametrize("versions", [0, 1])
def test_a_commit_of_many_keys_looks_each_of_them_up(world: World, versions: int) -> None:
    """By a plan from when a look-up by one index cost as much as by another, because there was nothing to find."""
    world.namespace("payments")
    keys = [world.key("payments", f"key-{number:03}") for number in range(2 * MANY)]
    world.commit(dict.fromkeys(keys[:versions], "0"))
    world.execute("ANALYZE")
    with connect(world.database.service_url) as connection:
        commit(connection, 1, {keys[-1]: "0"})
        for value, some in (("1", keys[:MANY]), ("2", keys[:MANY]), ("3", keys[MANY:])):
            with connection.transaction():
                assert scans(connection, partial(commit, connection, 1, dict.fromkeys(some, value))) == {}


def test_a_scan_would_be_found(grown: Connection) -> None:
    """The counters count what this test file looks for."""
    with grown.transaction():
        assert scans(grown, lambda: grown.execute("SELECT count(*) FROM config_version WHERE value = 'x'")) != {}


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_no_read_scans_a_table(world: World, grown: Connection, mode: str) -> None:
    """With a plan for these parameters, and with one for any."""
    world.execute("ANALYZE")
    scanned = {}
    with grown.transaction():
        grown.execute("SELECT set_config('plan_cache_mode', %s, true)", [mode])
        for (noun, name), params in QUERIES.items():
            if found := scans(grown, partial(grown.execute, load(noun)[name], params, prepare=True)):
                scanned[name] = found
    assert scanned == {}
