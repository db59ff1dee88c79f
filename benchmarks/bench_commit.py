"""Commits per second of the store, against two floors measured in the same run.

Both floors are bare plpgsql functions with the statements that no commit can do without: the same tables, indexes, hash
and NOTIFY; no Idempotency-Key, If-Match, no-op, lock of keys or definitions. One takes a set of changes, as the store
does: the target counts against it. The other is written for a single change, and shows what sets cost. All are called
in the same way, by as many processes as there are writers, all on one key, in turns of a second. fsync is on.

    python -m benchmarks.bench_commit

CONFIGSVC_TEST_DATABASE_URL, a superuser's, names another Postgres than the embedded one.
"""

import itertools
import multiprocessing
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import psycopg
from psycopg import conninfo, sql

from benchmarks.results import Figure, note, verdict
from configsvc.dev.ports import free_port
from configsvc.dev.postgres import PostgresServer
from configsvc.dev.supervisor import Supervisor
from configsvc.store import releases
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, connect
from configsvc.store.migrate import migrate

WRITERS = (1, 8)
#: Turns of each variant. The median of their ratios counts, so that a busy neighbour spoils a turn, not the result.
ROUNDS = 7
TURN_S = 1.0
TARGET = 0.9
#: All writers begin together, this long after they were told.
HEAD_START_S = 0.05

VARIANTS = ("store", "sets", "single")

SINGLE = """
CREATE FUNCTION bench_single(
    p_env_id smallint, p_key_id bigint, p_value text, p_kind text, p_note text, p_actor text, p_request_id text,
    p_address text, OUT new_revision bigint, OUT new_hash bytea
) LANGUAGE plpgsql AS $$
DECLARE
    v_env text;
    v_previous record;
    v_now timestamptz;
    v_audit bytea;
    v_details jsonb;
    v_key record;
BEGIN
    UPDATE environment SET revision = revision + 1 WHERE id = p_env_id
    RETURNING revision, name INTO new_revision, v_env;
    SELECT hash, created_at INTO v_previous FROM release WHERE env_id = p_env_id AND revision = new_revision - 1;
    v_now := greatest(clock_timestamp(), v_previous.created_at + interval '1 microsecond');
    SELECT k.namespace_id, k.name, k.type, n.name AS namespace, a.value, coalesce(a.version, 0) + 1 AS version
    INTO v_key
    FROM config_key k
    JOIN namespace n ON n.id = k.namespace_id
    LEFT JOIN config_version a ON a.env_id = p_env_id AND a.key_id = k.id AND a.is_active
    WHERE k.id = p_key_id;
    UPDATE config_version SET is_active = false WHERE env_id = p_env_id AND key_id = p_key_id AND is_active;
    INSERT INTO config_version
        (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at)
    VALUES (p_env_id, v_key.namespace_id, p_key_id, v_key.version, new_revision, p_value, false, true, p_actor, v_now);
    INSERT INTO scope AS s (env_id, namespace_id, revision, keys, bytes)
    VALUES (p_env_id, v_key.namespace_id, new_revision, 1, octet_length(v_key.name) + octet_length(p_value))
    ON CONFLICT (env_id, namespace_id) DO UPDATE
    SET revision = new_revision, bytes = s.bytes + octet_length(p_value) - octet_length(v_key.value);
    new_hash := sha256(v_previous.hash || convert_to(json_build_array(
        'configsvc/release/v1', v_env, new_revision, p_kind, p_note, p_actor,
        trunc(extract(epoch FROM v_now) * 1000000)::bigint,
        json_build_array(json_build_array(v_key.namespace, v_key.name, v_key.type, v_key.version, p_value))
        )::text, 'UTF8'));
    INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at)
    VALUES (p_env_id, new_revision, new_hash, p_kind, p_note, ARRAY[v_key.namespace], p_actor, v_now);
    SELECT a.hash INTO v_audit FROM audit_event a WHERE a.chain = p_env_id ORDER BY a.id DESC LIMIT 1;
    v_details := jsonb_build_object('changes', 1, 'hash', encode(new_hash, 'hex'));
    INSERT INTO audit_event
        (chain, env_id, revision, action, actor, request_id, address, namespaces, details, created_at, hash)
    VALUES (p_env_id, p_env_id, new_revision, 'release.' || p_kind, p_actor, p_request_id, p_address,
            ARRAY[v_key.namespace], v_details, v_now,
            sha256(coalesce(v_audit, '') || convert_to(json_build_array(
                'configsvc/audit/v1', v_env, v_env, new_revision, 'release.' || p_kind, p_actor, p_request_id,
                p_address, ARRAY[v_key.namespace], v_details,
                trunc(extract(epoch FROM v_now) * 1000000)::bigint)::text, 'UTF8')));
    INSERT INTO outbox (env_id, revision) VALUES (p_env_id, new_revision);
    PERFORM pg_notify('configsvc', v_env || ':' || new_revision);
END $$
"""

SETS = """
CREATE FUNCTION bench_sets(
    p_env_id smallint, p_kind text, p_note text, p_actor text, p_key_ids bigint[], p_values text[], p_request_id text,
    p_address text, OUT revision bigint, OUT hash bytea, OUT changed_key_ids bigint[], OUT changed_versions integer[]
) LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    v_env text;
    v_previous record;
    v_now timestamptz;
    v_audit bytea;
    v_details jsonb;
    v_changes json;
    v_namespaces text[];
    v_namespace_ids integer[];
    v_bytes_added integer[];
BEGIN
    UPDATE environment e SET revision = e.revision + 1 WHERE e.id = p_env_id RETURNING e.revision, e.name
    INTO revision, v_env;
    SELECT r.hash, r.created_at INTO v_previous FROM release r WHERE r.env_id = p_env_id AND r.revision = revision - 1;
    v_now := greatest(clock_timestamp(), v_previous.created_at + interval '1 microsecond');
    SELECT array_agg(c.id), array_agg(c.version), array_agg(c.namespace_id), array_agg(c.bytes_added),
           array_agg(DISTINCT c.namespace),
           json_agg(json_build_array(c.namespace, c.name, c.type, c.version, c.value))
    INTO changed_key_ids, changed_versions, v_namespace_ids, v_bytes_added, v_namespaces, v_changes
    FROM (
        SELECT k.id, k.namespace_id, k.name, k.type, n.name AS namespace, w.value,
               coalesce(a.version, 0) + 1 AS version,
               octet_length(w.value) - coalesce(octet_length(a.value), 0) AS bytes_added
        FROM unnest(p_key_ids, p_values) AS w (key_id, value)
        JOIN config_key k ON k.id = w.key_id
        JOIN namespace n ON n.id = k.namespace_id
        LEFT JOIN config_version a ON a.env_id = p_env_id AND a.key_id = k.id AND a.is_active
        ORDER BY n.name COLLATE "C", k.name COLLATE "C") AS c;
    UPDATE config_version v SET is_active = false
    WHERE v.env_id = p_env_id AND v.key_id = ANY (changed_key_ids) AND v.is_active;
    INSERT INTO config_version
        (env_id, namespace_id, key_id, version, revision, value, deleted, is_active, created_by, created_at)
    SELECT p_env_id, c.namespace_id, c.key_id, c.version, revision, c.value, c.value IS NULL, true, p_actor, v_now
    FROM unnest(v_namespace_ids, changed_key_ids, changed_versions, p_values)
        AS c (namespace_id, key_id, version, value);
    INSERT INTO scope AS s (env_id, namespace_id, revision, keys, bytes)
    SELECT p_env_id, c.namespace_id, revision, 1, sum(c.bytes_added)
    FROM unnest(v_namespace_ids, v_bytes_added) AS c (namespace_id, bytes_added) GROUP BY c.namespace_id
    ON CONFLICT (env_id, namespace_id)
    DO UPDATE SET revision = EXCLUDED.revision, bytes = s.bytes + EXCLUDED.bytes;
    hash := sha256(v_previous.hash || convert_to(json_build_array(
        'configsvc/release/v1', v_env, revision, p_kind, p_note, p_actor,
        trunc(extract(epoch FROM v_now) * 1000000)::bigint, v_changes)::text, 'UTF8'));
    INSERT INTO release (env_id, revision, hash, kind, note, namespaces, created_by, created_at)
    VALUES (p_env_id, revision, hash, p_kind, p_note, v_namespaces, p_actor, v_now);
    SELECT a.hash INTO v_audit FROM audit_event a WHERE a.chain = p_env_id ORDER BY a.id DESC LIMIT 1;
    v_details := jsonb_build_object('changes', cardinality(changed_key_ids), 'hash', encode(hash, 'hex'));
    INSERT INTO audit_event
        (chain, env_id, revision, action, actor, request_id, address, namespaces, details, created_at, hash)
    VALUES (p_env_id, p_env_id, revision, 'release.' || p_kind, p_actor, p_request_id, p_address,
            v_namespaces, v_details, v_now,
            sha256(coalesce(v_audit, '') || convert_to(json_build_array(
                'configsvc/audit/v1', v_env, v_env, revision, 'release.' || p_kind, p_actor, p_request_id,
                p_address, v_namespaces, v_details,
                trunc(extract(epoch FROM v_now) * 1000000)::bigint)::text, 'UTF8')));
    INSERT INTO outbox (env_id, revision) VALUES (p_env_id, revision);
    PERFORM pg_notify('configsvc', v_env || ':' || revision);
END $$
"""

CALLS = {
    "single": """
        SELECT new_revision, new_hash FROM bench_single(
            %(env_id)s::smallint, %(key_id)s, %(value)s, %(kind)s, %(note)s, %(actor)s, %(request_id)s, %(address)s)
    """,
    "sets": """
        SELECT revision, hash, changed_key_ids, changed_versions FROM bench_sets(
            %(env_id)s::smallint, %(kind)s, %(note)s, %(actor)s, ARRAY[%(key_id)s]::bigint[], %(values)s::text[],
            %(request_id)s, %(address)s)
    """,
}


@dataclass(frozen=True)
class Target:
    """What the writers write to: one key, in an environment for each variant."""

    superuser_url: str = field(repr=False)
    env_ids: dict[str, int]
    key_id: int


def main() -> None:
    """Measure and print."""
    with _postgres_url() as url, database(url) as target, _writers(max(WRITERS), target) as pipes:
        for writers in WRITERS:
            print(_line(writers, _measure(pipes[:writers])), flush=True)


def _line(writers: int, rates: dict[str, list[float]]) -> str:
    ratios = {
        floor: statistics.median(ours / theirs for ours, theirs in zip(rates["store"], rates[floor], strict=True))
        for floor in ("sets", "single")
    }
    store, sets, single = (statistics.median(rates[variant]) for variant in VARIANTS)
    met = ratios["sets"] >= TARGET
    plot = f"Commits per second, {writers} writer{'s' if writers > 1 else ''}"
    note(Figure(plot, "configsvc", store, "/s", "ours", ratios["sets"], f"≥ {TARGET} of the floor for sets", met))
    note(Figure(plot, "bare function, sets", sets, "/s", "floor"))
    note(Figure(plot, "bare function, one change", single, "/s", "floor"))
    return (
        f"commit, {writers} writer{'s' if writers > 1 else ' '}: {ratios['sets']:.2f} of the floor for sets "
        f"(target {TARGET}: {verdict(met)}), {ratios['single']:.2f} of that for one change; "
        f"{store:,.0f}/s, floors {sets:,.0f}/s and {single:,.0f}/s"
    )


def _measure(pipes: list[Pipe]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for number in range(ROUNDS):
        # Who goes first takes turns too.
        for variant in VARIANTS if number % 2 else VARIANTS[::-1]:
            begin = time.monotonic() + HEAD_START_S
            for pipe in pipes:
                pipe.send((variant, begin))
            rates[variant].append(sum(pipe.recv() for pipe in pipes) / TURN_S)
    return rates


@contextmanager
def _writers(count: int, target: Target) -> Iterator[list[Pipe]]:
    """Processes, because one Python could not keep Postgres busy; started afresh, because connections don't fork."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=_write, args=(theirs, target, number), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    for pipe in pipes:
        pipe.recv()
    yield pipes
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join()


def _write(pipe: Pipe, target: Target, number: int) -> None:
    values = itertools.count(number * 1_000_000_000)
    service = connect(conninfo.make_conninfo(target.superuser_url, options="-c role=configsvc_service"))
    floors = connect(target.superuser_url)
    calls = {
        "store": _store_call(service, target),
        "sets": floor_call("sets", floors, target),
        "single": floor_call("single", floors, target),
    }
    pipe.send("ready")
    while (turn := pipe.recv()) is not None:
        variant, begin = turn
        call = calls[variant]
        done = 0
        time.sleep(max(0.0, begin - time.monotonic()))
        while time.monotonic() < begin + TURN_S:
            call(str(next(values)))
            done += 1
        pipe.send(done)


def _store_call(connection: Connection, target: Target) -> Callable[[str], object]:
    origin = Origin("bench", "request", "127.0.0.1")

    def call(value: str) -> object:
        change = releases.Commit(target.env_ids["store"], "edit", "a note", [target.key_id], [value], [1])
        return releases.commit(connection, change, origin, None)

    return call


def floor_call(variant: str, connection: Connection, target: Target) -> Callable[[str], object]:
    """Return what commits one change of the key by a bare function."""
    always = {
        "env_id": target.env_ids[variant], "key_id": target.key_id, "kind": "edit", "note": "a note", "actor": "bench",
        "request_id": "request", "address": "127.0.0.1",
    }  # fmt: skip

    def call(value: str) -> object:
        return connection.execute(CALLS[variant], always | {"value": value, "values": [value]}).fetchone()

    return call


@contextmanager
def _postgres_url() -> Iterator[str]:
    if url := os.environ.get("CONFIGSVC_TEST_DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        server = PostgresServer(Path(name) / "data", free_port(), secrets.token_hex(16))
        with Supervisor(Path(name), print) as supervisor:
            supervisor.start(server.program())
            yield server.url()


@contextmanager
def database(url: str) -> Iterator[Target]:
    """Make a database with the schema and both floors, for as long as it is used."""
    name = f"configsvc_bench_{secrets.token_hex(4)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield _prepared(conninfo.make_conninfo(url, dbname=name))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _prepared(url: str) -> Target:
    migrate(url)
    with connect(url) as connection:
        connection.execute(SINGLE)
        connection.execute(SETS)
        key = connection.execute(
            "WITH made AS (INSERT INTO namespace (name, created_by) VALUES ('bench', 'bench') RETURNING id) "
            "INSERT INTO config_key (namespace_id, name, type, created_by) "
            "SELECT id, 'rate_limit', 'int', 'bench' FROM made RETURNING id"
        ).fetchone()
        envs = connection.execute("SELECT id FROM environment ORDER BY id").fetchall()
    assert key is not None
    return Target(url, dict(zip(VARIANTS, (row["id"] for row in envs), strict=False)), key["id"])


if __name__ == "__main__":
    main()
