"""Changes that somebody collects on the pages, by their session."""

from collections.abc import Sequence

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load
from configsvc.store.secrets import Kept

_SQL = load("drafts")


def drafts(database: Database, session_id: bytes) -> Sequence[Row]:
    """Return how many changes a session has collected, by env and namespace."""
    return database.all(_SQL["drafts"], {"session_id": session_id})


def names(database: Database, session_id: bytes, namespace: str) -> Sequence[Row]:
    """Return env and name of the settings of a namespace that are in a session's drafts."""
    return database.all(_SQL["names"], {"session_id": session_id, "namespace": namespace})


def changes(database: Database, session_id: bytes, env: str) -> Sequence[Row]:
    """Return a draft, each change beside its base and what is live, at the ``revision`` that each row names."""
    return database.all(_SQL["changes"], {"session_id": session_id, "env": env})


def size(connection: Connection, session_id: bytes, env_id: int, key_id: int) -> tuple[int, int]:
    """Return how many changes a draft has beside one key's, and the bytes of their values."""
    params = {"session_id": session_id, "env_id": env_id, "key_id": key_id}
    row = connection.execute(_SQL["size"], params).fetchone()
    assert row is not None
    return int(row["changes"]), int(row["bytes"])


def put(
    connection: Connection,
    session_id: bytes,
    env_id: int,
    key_id: int,
    text: str | None,
    secret: Kept | None,
    base_version: int,
) -> None:
    """Store one change, in place of an earlier one of the same key."""
    take_out(connection, session_id, env_id, key_id)
    params = {"session_id": session_id, "env_id": env_id, "key_id": key_id, "value": text, "base_version": base_version}
    params |= {"value_id": secret and secret.value_id, "fingerprint": secret and secret.fingerprint}
    connection.execute(_SQL["insert"], params)


def take_out(connection: Connection, session_id: bytes, env_id: int, key_id: int) -> None:
    """Drop the change of one key."""
    connection.execute(_SQL["delete_key"], {"session_id": session_id, "env_id": env_id, "key_id": key_id})


def drop(database: Database, session_id: bytes, ids: Sequence[int]) -> None:
    """Drop some changes."""
    with database.connection() as connection:
        connection.execute(_SQL["delete"], {"session_id": session_id, "ids": list(ids)})


def rebase(database: Database, session_id: bytes, change_id: int, base_version: int) -> None:
    """Let a change be one of another version."""
    with database.connection() as connection:
        connection.execute(_SQL["rebase"], {"session_id": session_id, "id": change_id, "base_version": base_version})


def drop_plain(connection: Connection, key_id: int) -> None:
    """Drop what stands in clear of a key in anybody's draft."""
    connection.execute(_SQL["delete_plain"], {"key_id": key_id})
