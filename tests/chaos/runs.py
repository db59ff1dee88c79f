"""What a run of faults leaves behind for the judge: every write, every view, every fault."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

Name = tuple[str, str]
"""(namespace, key)"""
Values = Mapping[Name, object]

#: The name by which a fault excuses those who write.
WRITERS = "writers"


@dataclass(frozen=True)
class Write:
    """One release that was asked for. Times are monotonic seconds; unanswered: infinity, and no cursor."""

    changes: Values
    asked_at: float
    answered_at: float = inf
    cursor: str | None = None


@dataclass(frozen=True)
class View:
    """One snapshot as a client showed it."""

    at: float
    cursor: str
    values: Values


@dataclass(frozen=True)
class Fault:
    """Something was broken for a while.

    ``masked``: clients have to follow and writes to be answered all the same. ``who``: only these clients are excused,
    or `WRITERS`.
    """

    name: str
    began_at: float
    ended_at: float
    masked: bool = False
    who: frozenset[str] | None = None


@dataclass(frozen=True)
class Restore:
    """The database was put back to the state at ``cursor``. Nobody was writing at that moment."""

    at: float
    cursor: str


@dataclass(frozen=True)
class Run:
    """Everything that was logged. ``base``: the cursor before the first write, when nothing was set."""

    base: str
    writes: Sequence[Write]
    clients: Mapping[str, Sequence[View]]
    faults: Sequence[Fault] = ()
    restores: Sequence[Restore] = ()


def revision_of(cursor: str) -> int:
    """The revision that a cursor names."""
    return int(cursor.partition(".")[0])
