"""Tokens and grants."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from configsvc.errors import Conflict
from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("access")


@dataclass(frozen=True)
class NewToken:
    """A token to be stored; ``secret_hash`` is SHA-256 of its secret part, ``principal`` whom it counts as."""

    id: str
    name: str
    secret_hash: bytes
    principal: str
    created_by: str
    expires_at: datetime | None = None


@dataclass(frozen=True)
class NewGrant:
    """What a token may do, and where; ``envs`` None is every environment."""

    role: str
    namespaces: str
    envs: Sequence[str] | None


def token_by_id(database: Database, token_id: str) -> Row | None:
    """Return the live token with its grants."""
    return database.one(_SQL["token_by_id"], {"id": token_id})


def mark_used(database: Database, token_id: str) -> None:
    """Note that a token is in use."""
    with database.connection() as connection:
        connection.execute(_SQL["mark_used"], {"id": token_id})


def insert_token(connection: Connection, token: NewToken) -> datetime:
    """Store a token; return when.

    Raises:
        Conflict: a live token has the name.
    """
    try:
        row = connection.execute(_SQL["insert_token"], vars(token)).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"a token named {token.name} exists: choose another name, or revoke that one") from error
    assert row is not None
    created_at: datetime = row["created_at"]
    return created_at


def insert_grant(connection: Connection, token_id: str, grant: NewGrant, created_by: str) -> Row | None:
    """Store a grant; return its id and when, None where there is no such live token."""
    envs = None if grant.envs is None else list(grant.envs)
    params = vars(grant) | {"token_id": token_id, "envs": envs, "created_by": created_by}
    return connection.execute(_SQL["insert_grant"], params).fetchone()


def revoke_token_named(connection: Connection, name: str) -> None:
    """Revoke the live token of this name, if there is one."""
    connection.execute(_SQL["revoke_token_named"], {"name": name})


def revoke_token(connection: Connection, token_id: str) -> Row | None:
    """Revoke a token; return its name, None if it is not alive."""
    return connection.execute(_SQL["revoke_token"], {"id": token_id}).fetchone()


def tokens(database: Database, before: int, limit: int) -> Sequence[Row]:
    """Return a page of living tokens with their grants, newest first; ``before``: a ``position``."""
    return database.all(_SQL["tokens"], {"before": before, "limit": limit})


def grants(database: Database, token_id: str | None, before: int, limit: int) -> Sequence[Row]:
    """Return a page of the grants of living tokens, newest first."""
    return database.all(_SQL["grants"], {"token_id": token_id, "before": before, "limit": limit})


def delete_grant(connection: Connection, grant_id: int) -> Row | None:
    """Take a grant back; return what it was, None if it is not there."""
    return connection.execute(_SQL["delete_grant"], {"id": grant_id}).fetchone()
