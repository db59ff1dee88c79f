"""The gate: every write of settings goes through ``Releases.commit`` (DESIGN.md §3, guarantee 7).

Validate, authorise, one transaction, audit; in this order, for every kind of write. What depends on the present is
decided once more by
``commit_release`` under the environment's lock.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configsvc.domain import cursors, releases, values
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit
from configsvc.errors import Conflict, NotFound, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.service.catalog import declare
from configsvc.store import catalog as catalog_store
from configsvc.store import releases as store
from configsvc.store.database import Connection, Database, Row
from configsvc.store.releases import Commit, Committed, Idempotency

#: Problems named in one answer; more would not help anybody.
ERRORS_MAX = 20


@dataclass(frozen=True)
class Condition:
    """An If-Match: the scope's cursor, or one key's version."""

    cursor: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Write:
    """One write as it was asked for.

    ``declare_type``: declare the (single) key with this type if it is not there yet.
    """

    env: str
    edits: Sequence[Edit]
    note: str
    condition: Condition | None = None
    idempotency: Idempotency | None = None
    declare_type: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a write answers."""

    answer: Mapping[str, object]
    replayed: bool


class Releases:
    """Commits releases."""

    def __init__(self, database: Database, idempotency_key: bytes) -> None:
        """``idempotency_key``.

        32 bytes; bodies are compared by a keyed hash, so that the table tells nothing about them.
        """
        self._database = database
        self._idempotency_key = idempotency_key

    def idempotency(self, key: str | None, request: str, body: bytes) -> Idempotency | None:
        """Return what makes this request recognisable, None without an Idempotency-Key."""
        if key is None:
            return None
        return Idempotency(key, request, hmac.digest(self._idempotency_key, body, "sha256"))

    def commit(self, caller: Caller, write: Write) -> Outcome:
        """Commit a write as one release.

        Raises:
            ValidationFailed, NotFound, Forbidden: before anything is written.
            RevisionMismatch, Conflict, PayloadTooLarge: decided under the lock; nothing is written either.
        """
        releases.check(write.edits)
        with self._database.connection() as connection:
            if write.declare_type is None:
                return self._commit(connection, caller, write)
            # Declaring and setting are one transaction: a refused value leaves no key behind.
            with connection.transaction():
                self._declare(connection, caller, write)
                return self._commit(connection, caller, write)

    def _commit(self, connection: Connection, caller: Caller, write: Write) -> Outcome:
        resolved = self._resolve(connection, caller, write)
        texts = _texts(write.edits, resolved)
        condition = write.condition or Condition()
        release = Commit(
            env_id=resolved[0]["env_id"],
            kind="edit",
            note=write.note,
            key_ids=[row["key_id"] for row in resolved],
            values=texts,
            if_key_version=condition.version,
            if_scope=resolved[0]["namespace_id"] if condition.cursor else None,
            if_cursor=condition.cursor,
        )
        committed = store.commit(connection, release, caller.origin, write.idempotency)
        if committed.replayed:
            changes = _replayed_changes(connection, release.env_id, committed)
        else:
            changes = _changes(write.edits, resolved, texts, committed)
        return Outcome(_answer(write.env, committed, changes), committed.replayed)

    def _resolve(self, connection: Connection, caller: Caller, write: Write) -> Sequence[Row]:
        """Find what the edits name, and authorise the caller for all of it."""
        named = [(edit.namespace, edit.key) for edit in write.edits]
        resolved = catalog_store.resolve_keys(connection, write.env, named)
        protected = bool(resolved[0]["review_required"])
        for namespace in dict.fromkeys(edit.namespace for edit in write.edits):
            caller.require(Action.WRITE, namespace, write.env, protected)
        for edit, row in zip(write.edits, resolved, strict=True):
            if row["env_id"] is None:
                raise not_found(None, write.env)
            if row["namespace_id"] is None:
                raise not_found(edit.namespace, write.env)
        undeclared = [edit for edit, row in zip(write.edits, resolved, strict=True) if row["key_id"] is None]
        if undeclared:
            raise _undeclared(undeclared)
        return resolved

    def _declare(self, connection: Connection, caller: Caller, write: Write) -> None:
        (edit,) = write.edits
        row = catalog_store.resolve_keys(connection, write.env, [(edit.namespace, edit.key)])[0]
        if row["env_id"] is None or row["namespace_id"] is None:
            return  # _resolve says which
        caller.require(Action.WRITE, edit.namespace, write.env, bool(row["review_required"]))
        caller.require(Action.DECLARE, edit.namespace, None)
        if row["key_id"] is None:
            declare(connection, caller, edit.namespace, edit.key, type_=write.declare_type or "")
            # Somebody may have declared it at the same moment, as something else.
            row = catalog_store.resolve_keys(connection, write.env, [(edit.namespace, edit.key)])[0]
        if row["type"] != write.declare_type:
            raise Conflict(f"{edit.namespace}/{edit.key} is declared as {row['type']}, and a key's type never changes")


def _texts(edits: Sequence[Edit], resolved: Sequence[Row]) -> list[str | None]:
    texts: list[str | None] = []
    errors = []
    for edit, row in zip(edits, resolved, strict=True):
        try:
            texts.append(None if edit.delete else values.to_text(row["type"], edit.value))
        except ValueError as error:
            errors.append((edit.at("value"), str(error)))
    if errors:
        raise ValidationFailed(errors[:ERRORS_MAX])
    return texts


def _undeclared(edits: Sequence[Edit]) -> Exception:
    if not edits[0].field:  # the path named it, not the body
        return NotFound(
            f"there is no key {edits[0].key} declared in {edits[0].namespace}: declare it, "
            'or send its "type" along with a PUT'
        )
    message = "is not declared: POST it to /v1/namespaces/{}/keys first"
    return ValidationFailed(
        [(edit.at("key"), f"{edit.key} " + message.format(edit.namespace)) for edit in edits[:ERRORS_MAX]]
    )


def _changes(
    edits: Sequence[Edit], resolved: Sequence[Row], texts: Sequence[str | None], committed: Committed
) -> list[dict[str, object]]:
    return [
        _change(edit.namespace, edit.key, row["type"], committed.versions[row["key_id"]], text)
        for edit, row, text in zip(edits, resolved, texts, strict=True)
        if row["key_id"] in committed.versions
    ]


def _replayed_changes(connection: Connection, env_id: int, committed: Committed) -> list[dict[str, object]]:
    if not committed.versions:
        return []
    rows = store.changes_of(connection, env_id, committed.revision)
    return [_change(row["namespace"], row["name"], row["type"], row["version"], row["value"]) for row in rows]


def _change(namespace: str, key: str, type_: str, version: int, text: str | None) -> dict[str, object]:
    change: dict[str, object] = {"namespace": namespace, "key": key, "version": version, "type": type_}
    # A canonical text reads and writes back as the same text, so this loses nothing.
    return change | ({"deleted": True} if text is None else {"value": json.loads(text)})


def _answer(env: str, committed: Committed, changes: list[dict[str, object]]) -> dict[str, object]:
    return {
        "env": env,
        "revision": committed.revision,
        "cursor": cursors.render(committed.revision, committed.hash),
        "changed": bool(changes),
        "changes": changes,
    }
