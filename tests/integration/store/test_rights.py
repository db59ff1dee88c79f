"""What the service's role can't do to history, and what even the tables' owner can't."""

import re
from collections.abc import Iterable, Iterator
from typing import LiteralString

import pytest
from psycopg.errors import InsufficientPrivilege

from configsvc.store.database import Connection, connect
from tests.integration.store.world import World, commit


@pytest.fixture
def key(world: World) -> int:
    """A key with two versions."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    world.commit({key: "1"})
    world.commit({key: "2"})
    return key


@pytest.fixture
def service(world: World, key: int) -> Iterator[Connection]:
    """A connection of the service's role, with some history to attack."""
    with connect(world.database.service_url) as connection:
        yield connection


@pytest.fixture
def owner(world: World, key: int) -> Iterator[Connection]:
    """A connection as the owner of all tables."""
    with connect(world.database.superuser_url) as connection:
        connection.execute("SET ROLE configsvc_owner")
        yield connection


ATTACKS: tuple[LiteralString, ...] = (
    "UPDATE config_version SET value = '666'",
    "UPDATE config_version SET is_active = false",
    "DELETE FROM config_version",
    "TRUNCATE config_version",
    "INSERT INTO config_version SELECT * FROM config_version",
    "COPY config_version FROM STDIN",
    "UPDATE release SET note = 'never happened'",
    "DELETE FROM release",
    "TRUNCATE release CASCADE",
    "INSERT INTO release SELECT * FROM release",
    "UPDATE audit_event SET actor = 'mallory'",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "INSERT INTO audit_event (action, actor, request_id, address, details) VALUES ('a', 'b', 'c', 'd', '{}')",
    "SELECT * FROM config_version FOR UPDATE",
    "UPDATE secret_value SET ciphertext = ''",
    "DELETE FROM secret_value",
    "INSERT INTO secret_value SELECT * FROM secret_value",
    "TRUNCATE secret_value CASCADE",
    "UPDATE data_key SET wrapped = ''",
    "DELETE FROM data_key",
    "INSERT INTO data_key SELECT * FROM data_key",
    "UPDATE environment SET revision = 0",
    "UPDATE environment SET name = 'other'",
    "DELETE FROM environment",
    "UPDATE scope SET revision = 0",
    "UPDATE namespace SET name = 'other'",
    "UPDATE config_key SET name = 'other'",
    "UPDATE config_key SET type = 'string'",
    "UPDATE config_key SET namespace_id = 0",
    "DELETE FROM config_key",
    "INSERT INTO idempotency SELECT * FROM idempotency",
    "UPDATE idempotency SET body_hash = ''",
    "UPDATE token SET secret_hash = secret_hash",
    "UPDATE access_grant SET role = 'admin'",
    "DELETE FROM schema_migration",
    "ALTER TABLE config_version DISABLE TRIGGER ALL",
    "ALTER TABLE release DISABLE TRIGGER release_append_only",
    "DROP TRIGGER config_version_append_only ON config_version",
    "DROP TABLE outbox",
    "ALTER TABLE config_version OWNER TO configsvc_service",
    "CREATE RULE r AS ON INSERT TO release DO INSTEAD NOTHING",
    "CREATE TRIGGER t BEFORE INSERT ON config_key FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "SET session_replication_role = replica",
    "SET ROLE configsvc_owner",
    "SET SESSION AUTHORIZATION configsvc_owner",
    "CREATE TABLE public.environment2 (id int)",
    "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
    "CREATE SCHEMA configsvc_owner",
    "CREATE OR REPLACE FUNCTION refuse_history_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "ALTER FUNCTION commit_release SET search_path = pg_temp",
    "DROP FUNCTION commit_release",
    "SELECT release_content('e', 1, 'k', 'n', 'a', now(), '[]', NULL)",
)


OWNERS_MISTAKES: tuple[LiteralString, ...] = (
    "DELETE FROM config_version",
    "DELETE FROM release",
    "DELETE FROM audit_event",
    "TRUNCATE config_version",
    "TRUNCATE release",
    "TRUNCATE audit_event",
    "TRUNCATE environment CASCADE",
    "UPDATE release SET created_at = now()",
    "UPDATE audit_event SET created_at = now()",
)

NOT_ONLY_INACTIVE: tuple[LiteralString, ...] = (
    "UPDATE config_version SET value = '666'",
    "UPDATE config_version SET version = 9",
    "UPDATE config_version SET revision = 9",
    "UPDATE config_version SET created_by = 'mallory'",
    "UPDATE config_version SET is_active = true",
    "UPDATE config_version SET is_active = is_active",
    "UPDATE config_version SET is_active = false, value = '666'",
    "UPDATE config_version SET is_active = false, created_by = 'mallory' WHERE is_active",
)


def test_the_service_cannot_rewrite_history(service: Connection) -> None:
    """Its rights end at reading, and at the functions that append; the triggers are not even asked."""
    assert not_refused(service, ATTACKS, "permission denied|must be (able to SET ROLE|owner)") == []


def not_refused(connection: Connection, statements: Iterable[LiteralString], how: str) -> list[LiteralString]:
    """Try each statement, and return those that were not refused like this."""
    done = []
    for statement in statements:
        try:
            connection.execute(statement)
        except InsufficientPrivilege as error:
            if re.search(how, str(error)):
                continue
        done.append(statement)
    return done


def test_the_service_runs_these_functions(world: World) -> None:
    """Nobody else runs any; what later migrations add is nobody's until it is granted."""
    with world.superuser() as connection:
        connection.execute("SET ROLE configsvc_owner")
        connection.execute("CREATE FUNCTION public.later() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    rows = world.query(
        "SELECT p.proname, a.grantee::regrole::text AS grantee FROM pg_proc p,"
        " aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a"
        " WHERE p.pronamespace = 'public'::regnamespace AND a.grantee <> p.proowner"
    )
    assert {(row["proname"], row["grantee"]) for row in rows} == {
        (name, "configsvc_service")
        for name in (
            *("commit_release", "create_environment", "record_audit_event", "approved_by"),
            *("report_clients", "measure_convergence", "count_keys", "forget_secret_values"),
            *("add_data_key", "replace_data_key", "rewrap_data_key", "keep_secret_values", "rewrite_secret_values"),
        )
    }


def test_functions_with_the_owners_rights_fix_their_search_path(world: World) -> None:
    """The caller's temporary schema comes last, by name."""
    rows = world.query("SELECT proconfig FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace")
    assert len(rows) == 10
    assert all("search_path=pg_catalog, public, pg_temp" in row["proconfig"] for row in rows)


def test_everything_belongs_to_an_owner_who_cannot_log_in(world: World) -> None:
    """No table or function is the service's own, and nobody but the owner makes any."""
    rows = world.query(
        "SELECT relowner::regrole::text AS owner FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    assert [row["owner"] for row in rows] == ["configsvc_owner"]
    (role,) = world.query("SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'configsvc_owner'")
    assert role == {"rolcanlogin": False, "rolsuper": False}
    (public,) = world.query("SELECT has_schema_privilege('configsvc_service', 'public', 'CREATE') AS may_create")
    assert public == {"may_create": False}


def test_temporary_tables_do_not_catch_a_commit(world: World, key: int) -> None:
    """A function with the owner's rights sees public's tables, whatever its caller made of the names."""
    with world.store.connection() as connection:
        for table in ("environment", "release", "config_version", "config_key", "scope", "outbox", "audit_event"):
            connection.execute(f"CREATE TEMP TABLE {table} (LIKE public.{table} INCLUDING DEFAULTS)")
        connection.execute("SET search_path = pg_temp, public")
        connection.execute("CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'")
        commit(connection, 1, {key: "3"})
        assert connection.execute("SELECT * FROM pg_temp.release").fetchall() == []
        connection.execute("DISCARD ALL")
    assert world.revision() == 3
    world.check_history()


def test_the_owner_cannot_rewrite_history_by_mistake(owner: Connection) -> None:
    """Triggers stand before whoever has the right, such as a later migration."""
    assert not_refused(owner, OWNERS_MISTAKES, "append-only") == []


def test_a_version_changes_in_nothing_but_being_active(owner: Connection) -> None:
    """Not even along with that."""
    assert not_refused(owner, NOT_ONLY_INACTIVE, "append-only") == []


def test_a_version_stops_being_active_once(owner: Connection) -> None:
    """True to false is the one change there is; there is no way back."""
    owner.execute("UPDATE config_version SET is_active = false WHERE is_active")
    with pytest.raises(InsufficientPrivilege, match="append-only"):
        owner.execute("UPDATE config_version SET is_active = true")
