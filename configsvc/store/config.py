"""Reads of settings. History never changes, so what is read at a revision is the same whenever it is read."""

from collections.abc import Sequence

from configsvc.store.database import Database, Row
from configsvc.store.queries import load

_SQL = load("config")


def scope_label(database: Database, namespace: str, env: str) -> Row | None:
    """env_id, namespace_id, and revision and hash of the scope's last release.

    None if namespace or environment is not there.
    """
    return database.one(_SQL["scope_label"], {"namespace": namespace, "env": env})


def newest(database: Database, env: str) -> Row | None:
    """Return revision and hash of an environment's newest release."""
    return database.one(_SQL["newest"], {"env": env})


def labels(database: Database, env: str, namespaces: Sequence[str], have: int | None) -> Row | None:
    """env_id, revision, hash; the hash of revision ``have``; {namespace: [id, revision]}: all of one moment."""
    return database.one(_SQL["labels"], {"env": env, "namespaces": list(namespaces), "have": have})


def scope_at(database: Database, env_id: int, namespace_id: int, revision: int) -> Sequence[Row]:
    """name, type, version, value text of each key that has a value at ``revision``, by name."""
    return database.all(_SQL["scope_at"], {"env_id": env_id, "namespace_id": namespace_id, "revision": revision})


def changes_between(
    database: Database, env_id: int, namespace_ids: Sequence[int], after: int, revision: int
) -> Sequence[Row]:
    """Each key's last change after ``after`` and up to ``revision``, oldest first; value None means deleted."""
    params = {"env_id": env_id, "namespace_ids": list(namespace_ids), "after": after, "revision": revision}
    return database.all(_SQL["changes_between"], params)


def active(database: Database, namespace: str, env: str, key: str) -> Row | None:
    """One key's active version and the release that made it; version is None if it was never set."""
    return database.one(_SQL["active"], {"namespace": namespace, "env": env, "key": key})
