"""The values of one revision, laid out for reading. Pure and immutable: a change makes a new table.

All keys of all namespaces lie in one flat dict, as small objects that know their declared type. So any getter is one
look-up, `true` or a bare number inside a `json` key is never taken for an int, and a change has one dict to copy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NoReturn


class Missing(Enum):
    """The one value that no key can have. An enum, so that the type checker can tell it apart."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
NEVER_PICKLED: Final = "it may hold secrets, which are never pickled: pass on the values that are needed"

Name = tuple[str, str]
"""(namespace, key)"""


@dataclass(slots=True)  # frozen, it would take three times as long to make one, and a load makes 10,000
class Entry:
    """One key's active version; never changed. `value` is MISSING for a secret that this client may not read."""

    type: str
    value: Any = field(repr=False)  # may be a secret
    version: int
    secret: bool = False

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)


ABSENT: Final = Entry("", MISSING, 0)
"""What a getter finds where there is no key."""

Entries = dict[Name, Entry]

Changes = Mapping[Name, Entry | None]
"""What one or more releases did: a new entry, or None for a deleted key."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All entries at one cursor."""

    revision: int
    cursor: str | None
    entries: Entries = field(repr=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    @classmethod
    def of(cls, revision: int, cursor: str | None, changes: Changes) -> "Table":
        """A table of exactly these entries."""
        return cls(revision, cursor, {name: entry for name, entry in changes.items() if entry is not None})

    def overlay(self, revision: int, cursor: str, changes: Changes) -> "Table":
        """This table with changes on top, under a new cursor. Without changes both share one dict."""
        if not changes:
            return Table(revision, cursor, self.entries)
        # `copy` of a dict with few gaps copies memory, and `dict` takes four times as long: hence in place.
        entries = self.entries.copy()
        for name, entry in changes.items():
            if entry is None:
                entries.pop(name, None)
            else:
                entries[name] = entry
        return Table(revision, cursor, entries)

    def differing(self, other: "Table") -> frozenset[Name]:
        """The names of all entries that differ between the two tables."""
        mine, theirs = self.entries, other.entries
        changed = (name for name in mine.keys() & theirs.keys() if mine[name] != theirs[name])
        return frozenset((mine.keys() ^ theirs.keys()).union(changed))


EMPTY: Final = Table.of(0, None, {})
