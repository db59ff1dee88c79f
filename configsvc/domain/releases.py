"""Releases before they are made: the changes asked for, and the plans that put an earlier state back.

Plans are pure: rows of history in, edits out. Whether what they were made from still holds is decided by the commit.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from configsvc.domain import names
from configsvc.errors import Conflict, ValidationFailed

#: Each release's header names its namespaces, and goes to every client of the environment.
NAMESPACES_MAX = 500

Row = Mapping[str, object]


@dataclass(frozen=True)
class SecretRef:
    """A secret value that is kept already, of a key of this type. Pointing to it opens nothing."""

    value_id: UUID
    fingerprint: str
    type: str


@dataclass(frozen=True)
class Source:
    """Where a promoted value is from."""

    env: str
    revision: int


@dataclass(frozen=True)
class Edit:
    """One wanted change. ``field`` is where the request said it, for error messages.

    ``secret``: the change points to this instead of bringing a value. ``concealed``: the value was one, and stays one
    even where its key is plain by now. ``source``: where it was promoted from, for those who review it.
    """

    namespace: str
    key: str
    value: object = field(default=None, repr=False)
    delete: bool = False
    field: str = ""
    secret: SecretRef | None = None
    concealed: bool = False
    source: Source | None = None

    def at(self, part: str) -> str:
        """Return the path of a part of this edit in the request."""
        return f"{self.field}.{part}" if self.field else part


@dataclass(frozen=True)
class SchemaEdit:
    """Another schema for a key; None takes it away. ``definition``: the one that it was proposed for, if any."""

    namespace: str
    key: str
    schema: object
    definition: int | None = None
    field: str = ""


def check(edits: Sequence[Edit]) -> None:
    """Raise ValidationFailed unless each edit is of a possible key, and no key stands twice."""
    seen: set[tuple[str, str]] = set()
    for edit in edits:
        names.check_namespace(edit.namespace, edit.at("namespace"))
        names.check_key(edit.key, edit.at("key"))
        if (edit.namespace, edit.key) in seen:
            raise ValidationFailed([(edit.at("key"), f"{edit.namespace}/{edit.key} stands twice in one release")])
        seen.add((edit.namespace, edit.key))
    if (count := len({namespace for namespace, _ in seen})) > NAMESPACES_MAX:
        raise ValidationFailed([("changes", f"touches {count} namespaces; one release may touch {NAMESPACES_MAX}")])


def to_state(namespace: str, key: str, row: Row, prefix: str = "") -> Edit:
    """Return the edit that makes a key what it was; neither value nor secret unsets it.

    ``row``: ``type``, and ``value``, ``value_id`` and ``fingerprint`` with the prefix. A secret comes back unopened.
    """
    text, value_id = row[f"{prefix}value"], row[f"{prefix}value_id"]
    where = f"{namespace}/{key}"
    if isinstance(value_id, UUID):
        ref = SecretRef(value_id, str(row[f"{prefix}fingerprint"]), str(row["type"]))
        return Edit(namespace, key, field=where, secret=ref)
    if text is None:
        return Edit(namespace, key, delete=True, field=where)
    return Edit(namespace, key, json.loads(str(text)), field=where)


def restore(namespace: str, rows: Iterable[Row]) -> list[Edit]:
    """Plan to make a scope what it was.

    ``rows``: the keys that differ, with what they were. A name that was deleted and declared anew with another type
    stands there once for each type; at any time only one of them has a value.
    """
    edits: dict[str, Edit] = {}
    for row in rows:
        name = str(row["name"])
        edit = to_state(namespace, name, row, "from_")
        edits[name] = edits.get(name, edit) if edit.delete else edit
    return list(edits.values())


def undo(revision: int, rows: Iterable[Row]) -> list[Edit]:
    """Plan the undoing of one release and of nothing else.

    ``rows``: each of its changes, with what was before it and the last release that touched the key.

    Raises:
        Conflict: later releases touched the same keys, or a key is declared no more; ``conflicts`` names them.
    """
    edits, conflicts = [], []
    for row in rows:
        namespace, key = str(row["namespace"]), str(row["name"])
        if row["key_deleted"] or row["last_revision"] != revision:
            conflicts.append({"namespace": namespace, "key": key, "revision": row["last_revision"]})
        else:
            edits.append(to_state(namespace, key, row, "before_"))
    if conflicts:
        raise Conflict(
            f"release {revision} can't be undone alone: later changes touch the same keys; set these as you want them, "
            "roll them back one by one, or restore the whole scope",
            conflicts=conflicts,
        )
    return edits
