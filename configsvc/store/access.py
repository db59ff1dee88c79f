"""Tokens, grants and the audit trail of what is no release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.types.json import Jsonb

from configsvc.errors import Conflict
from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("access")


@dataclass(frozen=True)
class NewToken:
    """A token to be stored; ``secret_hash`` is SHA-256 of its secret part."""

    id: str
    name: str
    secret_hash: bytes
    role: str
    namespaces: str
    envs: Sequence[str] | None
    created_by: str
    expires_at: datetime | None = None


def token_by_id(database: Database, token_id: str) -> Row | None:
    """Return the live token with its grants."""
    return database.one(_SQL["token_by_id"], {"id": token_id})


def insert_token(connection: Connection, token: NewToken) -> None:
    """Store a token with one grant.

    Raises:
        Conflict: a live token has the name.
    """
    values = vars(token) | {"token_id": token.id, "envs": None if token.envs is None else list(token.envs)}
    try:
        connection.execute(_SQL["insert_token"], values)
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"a token named {token.name} exists: choose another name, or revoke that one") from error
    connection.execute(_SQL["insert_grant"], values)


@dataclass(frozen=True)
class Origin:
    """Who asks, from where: what an audit row says of a request."""

    actor: str
    request_id: str
    address: str


def record_audit_event(connection: Connection, origin: Origin, action: str, details: Mapping[str, object]) -> None:
    """Append one audit row in the caller's transaction."""
    connection.execute(_SQL["record_audit_event"], vars(origin) | {"action": action, "details": Jsonb(dict(details))})


def revoke_token_named(connection: Connection, name: str) -> None:
    """Revoke the live token of this name, if there is one."""
    connection.execute(_SQL["revoke_token_named"], {"name": name})
