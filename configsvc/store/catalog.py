"""Environments, namespaces and declared keys."""

from collections.abc import Sequence
from typing import Any

import psycopg

from configsvc.errors import Conflict
from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("catalog")


def environments(database: Database) -> Sequence[Row]:
    """All environments, in the order of their making."""
    return database.all(_SQL["environments"])


def environment(database: Database, name: str) -> Row | None:
    """One environment: id, name, review_required, and revision and hash of its newest release."""
    return database.one(_SQL["environment"], {"name": name})


def create_environment(connection: Connection, **values: Any) -> None:
    """Create an environment; Conflict if the name is taken."""
    try:
        connection.execute(_SQL["create_environment"], values)
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"an environment named {values['name']} exists") from error


def update_environment(connection: Connection, **values: Any) -> Row | None:
    """Change what is not None; return the environment, None if there is none of the name."""
    return connection.execute(_SQL["update_environment"], values).fetchone()


def namespaces(database: Database, before: int, limit: int) -> Sequence[Row]:
    """A page of namespaces with ids under ``before``, newest first."""
    return database.all(_SQL["namespaces"], {"before": before, "limit": limit})


def insert_namespace(connection: Connection, **values: Any) -> Row:
    """Create a namespace; Conflict if the name is taken."""
    try:
        row = connection.execute(_SQL["insert_namespace"], values).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise Conflict(f"a namespace named {values['name']} exists") from error
    assert row is not None
    return row


def namespace_exists(database: Database, namespace: str) -> bool:
    """Tell whether there is such a namespace."""
    row = database.one(_SQL["namespace_exists"], {"namespace": namespace})
    return row is not None and bool(row["exists"])


def keys(database: Database, namespace: str, before: int, limit: int) -> Sequence[Row]:
    """A page of a namespace's keys with ids under ``before``, newest first."""
    return database.all(_SQL["keys"], {"namespace": namespace, "before": before, "limit": limit})


def declared(database: Database, namespace_id: int) -> Sequence[Row]:
    """Return name, type, secret and description of every declared key of a namespace, by name."""
    return database.all(_SQL["declared"], {"namespace_id": namespace_id})


def key(database: Database, namespace: str, name: str) -> Row | None:
    """One declared key."""
    return database.one(_SQL["key"], {"namespace": namespace, "key": name})


def resolve_keys(connection: Connection, env: str, names: Sequence[tuple[str, str]]) -> Sequence[Row]:
    """Return env_id, review_required, namespace_id, key_id, type, secret, schema, definition for each (namespace, key).

    Each is None where it is not there.
    """
    params = {"env": env, "namespaces": [namespace for namespace, _ in names], "keys": [name for _, name in names]}
    return connection.execute(_SQL["resolve_keys"], params).fetchall()


def insert_keys(connection: Connection, **values: Any) -> Sequence[Row]:
    """Declare keys of a namespace; those whose names are taken are not returned."""
    return connection.execute(_SQL["insert_keys"], values).fetchall()


def lock_key(connection: Connection, namespace: str, name: str) -> Row | None:
    """Keep a key from being used by commits until the end of the transaction; return id, type, description, secret,
    schema, definition.
    """
    return connection.execute(_SQL["lock_key"], {"namespace": namespace, "key": name}).fetchone()


def values_of_key(connection: Connection, key_id: int) -> Sequence[Row]:
    """Return env, review_required, value text, value_id, fingerprint where a key has a value."""
    return connection.execute(_SQL["values_of_key"], {"key_id": key_id}).fetchall()


def change_key(connection: Connection, key_id: int, description: str, schema: str | None) -> Row:
    """Change a locked key's description and schema."""
    params = {"key_id": key_id, "description": description, "schema": schema}
    row = connection.execute(_SQL["change_key"], params).fetchone()
    assert row is not None
    return row


def lock_keys(connection: Connection, named: Sequence[tuple[str, str]]) -> None:
    """Lock keys, named by (namespace, key), until the end of the transaction; pass over those that are not there."""
    params = {"namespaces": [namespace for namespace, _ in named], "keys": [key for _, key in named]}
    connection.execute(_SQL["lock_keys"], params)


def lock_environments(connection: Connection) -> None:
    """Keep all environments as they are until the end of the transaction."""
    connection.execute(_SQL["lock_environments"])


def set_secret(connection: Connection, key_id: int, secret: bool) -> Row:
    """Say of a locked key whether its values are kept as secrets from now on."""
    row = connection.execute(_SQL["set_secret"], {"key_id": key_id, "secret": secret}).fetchone()
    assert row is not None
    return row


def delete_key(connection: Connection, key_id: int) -> None:
    """Delete a locked key. History keeps it."""
    connection.execute(_SQL["delete_key"], {"key_id": key_id})
