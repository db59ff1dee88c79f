"""What was: releases, versions, and the differences between two revisions."""

from collections.abc import Sequence
from datetime import datetime

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("history")


def release_by_revision(database: Database, env: str, revision: int) -> Row | None:
    """Return env_id, newest, and revision and hash (None if there is no such release); None without the environment."""
    return database.one(_SQL["release_by_revision"], {"env": env, "revision": revision})


def release_at(database: Database, env: str, at: datetime) -> Row | None:
    """Return env_id, newest, and revision and hash of the newest release at a moment; None without the environment."""
    return database.one(_SQL["release_at"], {"env": env, "at": at})


def scope_last(database: Database, env_id: int, namespace: str, revision: int) -> Row | None:
    """Return namespace_id, and revision and hash of the last release up to ``revision`` that touched the namespace."""
    return database.one(_SQL["scope_last"], {"env_id": env_id, "namespace": namespace, "revision": revision})


def namespace_id(database: Database, namespace: str) -> int | None:
    """Return the id of a namespace."""
    row = database.one(_SQL["namespace_id"], {"namespace": namespace})
    return None if row is None else int(row["id"])


def versions(database: Database, namespace: str, env: str, key: str, before: int, limit: int) -> Sequence[Row]:
    """Return a page of one key's versions before a revision, newest first."""
    params = {"namespace": namespace, "env": env, "key": key, "before": before, "limit": limit}
    return database.all(_SQL["versions"], params)


def version(database: Database, namespace: str, env: str, key: str, number: int) -> Row | None:
    """Return type, value text, value_id and fingerprint of one version of a declared key."""
    return database.one(_SQL["version"], {"namespace": namespace, "env": env, "key": key, "version": number})


def releases(database: Database, env: str, namespace: str | None, before: int, limit: int) -> Sequence[Row]:
    """Return a page of an environment's releases before a revision, newest first."""
    params = {"env": env, "namespace": namespace, "before": before, "limit": limit}
    return database.all(_SQL["releases"], params)


def changed(
    database: Database, env: str, revisions: Sequence[int], namespaces: Sequence[str], limit: int
) -> Sequence[Row]:
    """Return the first settings (revision, namespace, name), ``limit`` at most, that each release changed."""
    params = {"env": env, "revisions": list(revisions), "namespaces": list(namespaces), "limit": limit}
    return database.all(_SQL["changed"], params)


def release(database: Database, env: str, revision: int) -> Row | None:
    """Return one release."""
    return database.one(_SQL["release"], {"env": env, "revision": revision})


def compare(database: Database, env_id: int, namespace_id: int, from_: int, to: int) -> Sequence[Row]:
    """Return the keys of a scope that differ between two revisions, with both states."""
    params = {"env_id": env_id, "namespace_id": namespace_id, "from": from_, "to": to}
    return database.all(_SQL["compare"], params)


def touched(database: Database, env_id: int, from_: int, to: int) -> Sequence[str]:
    """Return the namespaces that changed between two revisions of an environment."""
    return [row["name"] for row in database.all(_SQL["touched"], {"env_id": env_id, "from": from_, "to": to})]


def undoing(database: Database, env_id: int, revision: int) -> Sequence[Row]:
    """Return what each key of a release was before it, and the last release that touched it."""
    return database.all(_SQL["undoing"], {"env_id": env_id, "revision": revision})


def differences(connection: Connection, env_id: int, revision: int) -> Sequence[Row]:
    """Return what one release changed, each key with its state before and after."""
    return connection.execute(_SQL["differences"], {"env_id": env_id, "revision": revision}).fetchall()
