"""Migrations: the same database as schema.sql, once, whoever runs them at the same time."""

import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from configsvc.errors import SetupError
from configsvc.store import migrate as module
from configsvc.store.database import connect
from configsvc.store.migrate import check, migrate
from configsvc.store.queries import sql_dir
from tests.fix_database import Database

#: What a schema is, as the catalogs tell it; the ledger of migrations is not part of it.
CATALOGS = {
    "columns": """
        SELECT c.relname, c.relkind, c.reloptions, c.relowner::regrole::text, c.relacl::text, a.attname, a.attnum,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attacl::text,
               pg_get_expr(d.adbin, d.adrelid) AS "default", a.attcollation::regcollation::text
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S', 'v')""",
    "constraints": """
        SELECT c.relname, o.conname, pg_get_constraintdef(o.oid)
        FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid
        WHERE o.connamespace = 'public'::regnamespace""",
    "indexes": "SELECT tablename AS relname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": """
        SELECT c.relname, pg_get_triggerdef(t.oid), t.tgenabled FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal""",
    "functions": """
        SELECT '' AS relname, pg_get_functiondef(oid), proowner::regrole::text, proacl::text FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace""",
    "default rights": """
        SELECT '' AS relname, defaclrole::regrole::text, defaclobjtype, defaclacl::text FROM pg_default_acl""",
    "schema": "SELECT '' AS relname, nspacl::text FROM pg_namespace WHERE nspname = 'public'",
    "environments": """
        SELECT '' AS relname, e.name, e.description, e.review_required, e.approvals, e.revision, r.kind, r.created_by
        FROM environment e JOIN release r ON r.env_id = e.id""",
}


def describe(url: str) -> dict[str, list[Any]]:
    """Everything that makes a schema, in an order of its own."""
    with connect(url) as connection:
        return {
            name: sorted(
                str(row)
                for row in connection.execute(query).fetchall()
                if not row["relname"].startswith("schema_migration")
            )
            for name, query in CATALOGS.items()
        }


def test_migrations_and_schema_sql_make_the_same_database(database: Database, empty_database: Database) -> None:
    """schema.sql is what one reads; the migrations are what runs."""
    with connect(empty_database.superuser_url) as connection:
        connection.execute(module._ROLES)
        connection.execute("SET ROLE configsvc_owner")
        connection.execute((sql_dir() / "schema.sql").read_text("utf-8"))
    migrated, read = describe(database.superuser_url), describe(empty_database.superuser_url)
    assert all(migrated.values())
    assert migrated == read


def test_the_second_migration_does_nothing(empty_database: Database) -> None:
    """It says what it applied: nothing."""
    assert migrate(empty_database.superuser_url) == [path.stem for path in sorted(sql_dir().glob("migrations/*.sql"))]
    assert migrate(empty_database.superuser_url) == []
    check(empty_database.superuser_url)


def test_migrations_at_the_same_time_take_turns(empty_database: Database) -> None:
    """Every replica of a deployment may run them at its start."""
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(migrate, [empty_database.superuser_url] * 4))
    assert sorted(map(len, applied))[:3] == [0, 0, 0]
    check(empty_database.superuser_url)


def test_a_database_without_the_schema_is_refused(empty_database: Database) -> None:
    """The message says what to run."""
    with pytest.raises(SetupError, match="run `configsvc migrate`"):
        check(empty_database.superuser_url)


def test_a_newer_database_is_refused(database: Database) -> None:
    """Old code on a new schema would write what the new one does not expect."""
    with connect(database.superuser_url) as connection:
        connection.execute("INSERT INTO schema_migration (name) VALUES ('9999_come_from_the_future')")
    for refuse in (check, migrate):
        with pytest.raises(SetupError, match=r"newer than this configsvc \(9999_come_from_the_future"):
            refuse(database.superuser_url)


def test_a_failing_migration_leaves_nothing_behind(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ones before it stay, and the next run goes on there."""
    folder = Path(shutil.copytree(sql_dir(), tmp_path / "sql")) / "migrations"
    (folder / "0098_make_something.sql").write_text("CREATE TABLE something (id int)")
    (folder / "0099_fail.sql").write_text("CREATE TABLE half (id int); SELECT 1 / 0")
    monkeypatch.setattr(module, "sql_dir", lambda: folder.parent)
    with pytest.raises(SetupError, match="division by zero"):
        migrate(empty_database.superuser_url)
    with connect(empty_database.superuser_url) as connection:
        (row,) = connection.execute("SELECT to_regclass('something') AS done, to_regclass('half') AS undone").fetchall()
    assert (row["done"], row["undone"]) == ("something", None)
    (folder / "0099_fail.sql").write_text("CREATE TABLE half (id int)")
    assert migrate(empty_database.superuser_url) == ["0099_fail"]


def test_a_server_that_is_not_there_is_named_in_one_line() -> None:
    """No traceback for a wrong host."""
    for ask in (check, migrate):
        with pytest.raises(SetupError) as caught:
            ask("postgresql://nobody@127.0.0.1:1/nothing")
        assert "\n" not in str(caught.value)
        assert "127.0.0.1" in str(caught.value)


def test_an_administrator_can_make_the_roles_and_let_another_migrate(
    postgres_url: str, empty_database: Database
) -> None:
    """Who may neither create roles nor be superuser migrates a database of their own."""
    name, password = f"migrator_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        connection.execute(f'GRANT configsvc_owner TO {name}; ALTER DATABASE "{empty_database.name}" OWNER TO {name}')
    with connect(empty_database.superuser_url) as connection:
        connection.execute("ALTER SCHEMA public OWNER TO pg_database_owner")
    try:
        assert migrate(make_conninfo(empty_database.superuser_url, user=name, password=password))
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{empty_database.name}" OWNER TO CURRENT_USER')
            connection.execute(f"DROP ROLE {name}")


def test_a_migration_whose_table_is_in_use_gives_up_and_says_by_whom(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed, nobody waits behind it, and the next run does it when the reader has gone."""
    folder = Path(shutil.copytree(sql_dir(), tmp_path / "sql")) / "migrations"
    (folder / "0099_widen.sql").write_text("ALTER TABLE release ADD COLUMN later text")
    monkeypatch.setattr(module, "sql_dir", lambda: folder.parent)
    monkeypatch.setattr(module, "_ATTEMPTS_MAX", 2)
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_MS", 50)
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    with connect(database.superuser_url, application_name="a long report") as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM release")
        with pytest.raises(SetupError, match=r"0099_widen changed nothing.* role postgres, a long report: wait"):
            migrate(database.superuser_url)
        with connect(database.service_url) as other:
            assert other.execute("SELECT count(*) FROM release").fetchone()
    assert migrate(database.superuser_url) == ["0099_widen"]
