"""The values of one revision, laid out for reading. Pure and immutable: a change makes a new table.

Keys of all namespaces lie in one flat dict, and once more in a dict per declared type. So `get_int` is one look-up that
finds only what was declared an int: `true`, and a bare number inside a `json` key, are never taken for one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NoReturn


class Missing(Enum):
    """The one value that no key can have. An enum, so that the type checker can tell it apart."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
NEVER_PICKLED: Final = "it may hold secrets, which are never pickled: pass on the values that are needed"
TYPES: Final = ("string", "int", "float", "bool", "json")

Name = tuple[str, str]
"""(namespace, key)"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's active version. `value` is MISSING for a secret that this client may not read."""

    type: str
    value: Any = field(repr=False)  # may be a secret
    version: int
    secret: bool = False

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)


Entries = dict[Name, Entry]
Columns = dict[str, dict[Name, Any]]
"""Type, or "any" for all of them, → its keys' values."""

Changes = Mapping[Name, Entry | None]
"""What one or more releases did: a new entry, or None for a deleted key."""


class Table:
    """All entries at one cursor, in the shape that the getters read."""

    __slots__ = ("bools", "cursor", "entries", "floats", "ints", "jsons", "revision", "strings", "values")

    def __init__(self, revision: int, cursor: str | None, entries: Entries, columns: Columns) -> None:
        self.revision = revision
        self.cursor = cursor
        self.entries = entries
        self.values = columns["any"]
        self.strings: dict[Name, str] = columns["string"]
        self.ints: dict[Name, int] = columns["int"]
        self.floats: dict[Name, float] = columns["float"]
        self.bools: dict[Name, bool] = columns["bool"]
        self.jsons = columns["json"]

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    @classmethod
    def of(cls, revision: int, cursor: str | None, changes: Changes) -> "Table":
        """A table of exactly these entries."""
        columns: Columns = {column: {} for column in ("any", *TYPES)}
        entries = {name: entry for name, entry in changes.items() if entry is not None}
        for name, entry in entries.items():
            _put(columns, name, entry)
        return cls(revision, cursor, entries, columns)

    def overlay(self, revision: int, cursor: str, changes: Changes) -> "Table":
        """This table with changes on top, under a new cursor. Dicts that nothing touches are shared with the old."""
        columns = self._columns()
        if not changes:
            return Table(revision, cursor, self.entries, columns)
        # `copy` of a dict with few gaps copies memory, and `dict` takes four times as long: hence in place.
        entries = self.entries.copy()
        for column in {"any", *self._types_of(changes)}:
            columns[column] = columns[column].copy()
        for name, entry in changes.items():
            old = entries.get(name)
            if entry is None:
                entries.pop(name, None)
            else:
                entries[name] = entry
                _put(columns, name, entry)
            if old is not None:
                _drop(columns, name, old, entry)
        return Table(revision, cursor, entries, columns)

    def differing(self, other: "Table", names: Iterable[Name]) -> frozenset[Name]:
        """Those of `names` whose entries differ between the two tables."""
        mine, theirs = self.entries, other.entries
        return frozenset(name for name in names if mine.get(name) != theirs.get(name))

    def _columns(self) -> Columns:
        return {
            "any": self.values,
            "string": self.strings,
            "int": self.ints,
            "float": self.floats,
            "bool": self.bools,
            "json": self.jsons,
        }

    def _types_of(self, changes: Changes) -> set[str]:
        touched = [entry for name, change in changes.items() for entry in (change, self.entries.get(name))]
        return {entry.type for entry in touched if entry is not None and entry.type in TYPES}


def _put(columns: Columns, name: Name, entry: Entry) -> None:
    if entry.value is MISSING:
        return
    columns["any"][name] = entry.value
    # A type that this version does not know yet is readable with `get` only.
    if entry.type in columns:
        columns[entry.type][name] = entry.value


def _drop(columns: Columns, name: Name, old: Entry, new: Entry | None) -> None:
    """Take what `old` put from where `new` put nothing."""
    hidden = new is None or new.value is MISSING
    if hidden:
        columns["any"].pop(name, None)
    if new is None or hidden or new.type != old.type:
        columns.get(old.type, {}).pop(name, None)


EMPTY: Final = Table.of(0, None, {})
