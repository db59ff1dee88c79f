"""A fresh, migrated database for each test, and the settings of a service on it."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from configsvc.dev.postgres import set_password
from configsvc.settings import Settings
from configsvc.store.migrate import migrate

SERVICE_ROLE = "configsvc_service"
#: Roles belong to the whole server: test processes that share one make them one after the other.
_ROLES_LOCK = 0x74657374


@dataclass(frozen=True)
class Database:
    """One database, as its superuser and as the service sees it."""

    name: str
    superuser_url: str = field(repr=False)
    service_url: str = field(repr=False)


@pytest.fixture(scope="session")
def database_template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = f"configsvc_template_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        _run(connection, "CREATE DATABASE {}", name)
        connection.execute("SELECT pg_advisory_lock(%s)", [_ROLES_LOCK])
        migrate(make_conninfo(postgres_url, dbname=name))
        set_password(postgres_url, SERVICE_ROLE, _service_password(postgres_url))
    yield name
    _drop(postgres_url, name)


@pytest.fixture
def database(postgres_url: str, database_template: str) -> Iterator[Database]:
    """A fresh database with today's schema and nothing in it."""
    # Half of what the default way costs, where nothing is synced.
    yield from _database(postgres_url, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", database_template)


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[Database]:
    """A fresh database without any schema, for what migrates it itself."""
    yield from _database(postgres_url, "CREATE DATABASE {}")


@pytest.fixture(scope="session")
def signing_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key for push messages."""
    from configsvc.crypto import signing

    path = tmp_path_factory.mktemp("keys") / "signing-key.pem"
    signing.generate(path)
    return path


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file for secrets."""
    from configsvc.crypto.providers import local

    path = tmp_path_factory.mktemp("keys") / "keys.json"
    local.create(path)
    return path


@pytest.fixture
def settings(
    database: Database, redis_url: str, push_redis_url: str, signing_key_file: Path, key_file: Path
) -> Settings:
    """The settings of a service on this test's database."""
    return Settings(
        database_url=database.service_url,
        redis_url=redis_url,
        push_redis_url=push_redis_url,
        redis_admin_url=redis_url,
        signing_key_file=signing_key_file,
        keys=f"file:{key_file}",
    )


def _database(postgres_url: str, create: str, *names: str) -> Iterator[Database]:
    name = f"configsvc_test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        _run(connection, create, name, *names)
    superuser_url = make_conninfo(postgres_url, dbname=name)
    password = _service_password(postgres_url)
    yield Database(name, superuser_url, make_conninfo(superuser_url, user=SERVICE_ROLE, password=password))
    _drop(postgres_url, name)


def _drop(postgres_url: str, name: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _run(connection: "psycopg.Connection[tuple[object, ...]]", statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _service_password(postgres_url: str) -> str:
    """The same in every test process that shares this server."""
    return hashlib.sha256(f"configsvc tests {postgres_url}".encode()).hexdigest()[:32]
