"""Applies ``sql/migrations`` in the order of their numbers, each in one transaction, while the service goes on.

Who changes a table waits until nobody uses it, and everybody who comes then waits behind. So a migration gives up soon,
lets all who wait go on, and tries again.
"""

import time
from functools import cache
from typing import LiteralString

import psycopg

from configsvc.errors import SetupError
from configsvc.store.database import one_line
from configsvc.store.queries import sql_dir

#: Names our lock among all advisory locks of the database: two `configsvc migrate` take turns.
_LOCK = 0x636F6E66
#: Every request behind a migration that waits for a table waits too: no longer than this …
_LOCK_TIMEOUT_MS = 1_000
#: … and then they have this time for themselves.
_PAUSE_S = 2.0
#: Half a minute. Who reads for longer than that is named, and an operator decides.
_ATTEMPTS_MAX = 10

_BLOCKER: LiteralString = """
SELECT a.pid, a.usename, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start)::int
FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_stat_activity a USING (pid)
WHERE l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relnamespace = 'public'::regnamespace AND a.pid <> pg_backend_pid()
ORDER BY a.xact_start LIMIT 1"""

# Roles belong to the whole server: another database's migration may be making them at this moment. Who may not create
# roles can migrate when an administrator has made them, and granted configsvc_owner.
_ROLES: LiteralString = """
DO $$
BEGIN
    IF to_regrole('configsvc_owner') IS NULL THEN
        CREATE ROLE configsvc_owner NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    IF to_regrole('configsvc_service') IS NULL THEN
        CREATE ROLE configsvc_service LOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
    IF NOT pg_has_role(current_user, 'configsvc_owner', 'USAGE') THEN
        EXECUTE format('GRANT configsvc_owner TO %I', current_user);
    END IF;
END $$;
GRANT USAGE, CREATE ON SCHEMA public TO configsvc_owner;
-- Up to Postgres 14 everybody might, and could put an operator of their own before the owner's functions.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
"""

_AS_OWNER: LiteralString = "SET LOCAL ROLE configsvc_owner; SET LOCAL search_path = public"

_LEDGER: LiteralString = """
CREATE TABLE IF NOT EXISTS schema_migration (
    name text PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp());
GRANT SELECT ON schema_migration TO configsvc_service;
"""


def migrate(database_url: str) -> list[str]:
    """Bring the database to this code's schema and return the names of the migrations applied now.

    Needs a role that may create roles, such as a superuser: it makes ``configsvc_owner`` and ``configsvc_service``.

    Raises:
        SetupError: the database can't be reached, is newer than this code, refuses, or has tables in use for too long.
    """
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            return _migrate(connection)
    except psycopg.Error as error:
        raise SetupError(f"migrate: {one_line(error)}") from error


def check(database_url: str) -> None:
    """Raise SetupError unless the database has exactly this code's schema."""
    try:
        with psycopg.connect(database_url, autocommit=True) as connection:
            applied = _applied(connection)
    except psycopg.errors.UndefinedTable:
        applied = set()
    except psycopg.Error as error:
        raise SetupError(f"CONFIGSVC_DATABASE_URL: {one_line(error)}") from error
    _refuse_newer(applied)
    if missing := [name for name in _available() if name not in applied]:
        raise SetupError(f"the database lacks {len(missing)} migrations ({missing[0]} first): run `configsvc migrate`")


def _migrate(connection: psycopg.Connection) -> list[str]:
    connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    connection.execute("SELECT set_config('lock_timeout', %s, false)", [str(_LOCK_TIMEOUT_MS)])
    with connection.transaction():
        connection.execute(_ROLES)
        connection.execute(_AS_OWNER)
        connection.execute(_LEDGER)
    applied = _applied(connection)
    _refuse_newer(applied)
    pending = [name for name in _available() if name not in applied]
    for name in pending:
        _apply(connection, name)
    return pending


def _apply(connection: psycopg.Connection, name: str) -> None:
    blocker = None
    for _ in range(_ATTEMPTS_MAX):
        try:
            with connection.transaction():
                connection.execute(_AS_OWNER)
                # Our own file, as whole as it is: not input.
                connection.execute((sql_dir() / "migrations" / f"{name}.sql").read_text("utf-8"))
                connection.execute("INSERT INTO schema_migration (name) VALUES (%s)", [name])
                return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            blocker = connection.execute(_BLOCKER).fetchone()
        time.sleep(_PAUSE_S)
    raise SetupError(f"migrate: {name} changed nothing, because its tables are in use{_told(blocker)}")


def _told(blocker: tuple[int, str, str, int | None] | None) -> str:
    if blocker is None:
        return ": run it again"
    pid, role, application, age_s = blocker
    return (
        f", for the longest time ({age_s or 0} s) by process {pid}, role {role}, {application or 'no name'}: "
        f"wait for its end, or SELECT pg_terminate_backend({pid}), and run it again"
    )


@cache
def known() -> frozenset[str]:
    """Return the names of the migrations that this code comes with."""
    return frozenset(_available())


def _available() -> list[str]:
    return sorted(path.stem for path in (sql_dir() / "migrations").glob("[0-9]*.sql"))


def _applied(connection: psycopg.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM schema_migration").fetchall()}


def _refuse_newer(applied: set[str]) -> None:
    if unknown := sorted(applied - set(_available())):
        raise SetupError(
            f"the database is newer than this configsvc ({unknown[-1]} is unknown here): upgrade configsvc"
        )
