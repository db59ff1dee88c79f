"""The rules of following an environment, and nothing else: `apply(state, incoming) -> (state, events)`.

Rules for this file: no I/O, no clock, no randomness, no threads, no logging. It is the table "Client rules" of
docs/protocol.md, line by line, and whoever changes one changes the other. A state is immutable; what it holds is always
the exact state after releases 1..revision of one history.

    incoming   condition                        action
    Header     beat <= the last one's           drop: no sign of life
    Header     cursor = mine                    sign of life; it is the last header
    Header     else                             sign of life; it is the last; hold; DRAIN; still not mine -> dirty
    Part                                        hold; DRAIN
    Doubt                                       dirty
    Answer     asked is not what I'd ask now    drop
    Answer     full, changes or none            replace, overlay or keep: one swap, not dirty; DRAIN
    any swap                                    forget what is held up to my revision
    FromDisk   I am not complete                shown; still not complete, still dirty

DRAIN: I am complete, the last header leads back to my cursor over held headers, and the first release on that way has
all its parts for my namespaces here, with all values: one swap, not dirty, and again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ._messages import Answer, Asked, Header, Part
from ._table import EMPTY, Name, Table

SILENCE_S: Final = 3.5  # three heartbeats and a bit: dead, frozen and cut off all look like this
HOLD_CURSORS_MAX: Final = 1024  # a storm of releases during one sync; more is cheaper to sync than to keep
HOLD_BYTES_MAX: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something may have been missed: subscribed again, silence, a fork, an unknown signing key."""


@dataclass(frozen=True, slots=True)
class FromDisk:
    """What an earlier run has left."""

    table: Table


@dataclass(frozen=True, slots=True)
class Alive:
    """Push works: a header that is newer than all before. `current` says that it names my cursor."""

    current: bool


@dataclass(frozen=True, slots=True)
class Swapped:
    """There is a new table. `names` are the keys whose entries may differ from the previous one's."""

    table: Table
    previous: Table
    names: frozenset[Name]
    reset: bool = False


Incoming = Header | Part | Answer | Doubt | FromDisk
Event = Alive | Swapped


@dataclass(frozen=True, slots=True)
class Held:
    """What push has brought of one release so far."""

    revision: int
    header: Header | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def size(self) -> int:
        header_bytes = self.header.size if self.header else 0
        return header_bytes + sum(part.size for part in self.parts.values())


@dataclass(frozen=True, slots=True)
class State:
    """Where this client is. `hold` is ordered, oldest first."""

    namespaces: frozenset[str]
    table: Table = EMPTY
    view: str | None = None
    complete: bool = False
    dirty: bool = True
    last_header: Header | None = None
    hold: Mapping[str, Held] = field(default_factory=dict)

    def asks(self) -> Asked:
        """What a sync sent now would say that this client has."""
        return Asked(self.table.cursor, self.view) if self.complete else Asked(None, None)


def apply(state: State, incoming: Incoming) -> tuple[State, list[Event]]:
    """One incoming thing, by the table above."""
    return _RULES[type(incoming)](state, incoming)


def _on_header(state: State, header: Header) -> tuple[State, list[Event]]:
    if state.last_header is not None and header.beat <= state.last_header.beat:
        return state, []
    if header.cursor == state.table.cursor:
        return replace(state, last_header=header), [Alive(current=True)]
    known = state.hold.get(header.cursor, Held(header.revision))
    hold = _with(state.hold, header.cursor, replace(known, header=header))
    state, swaps = _drain(replace(state, last_header=header, hold=hold))
    if header.cursor == state.table.cursor:
        return state, [*swaps, Alive(current=True)]
    return replace(state, dirty=True), [*swaps, Alive(current=False)]


def _on_part(state: State, part: Part) -> tuple[State, list[Event]]:
    known = state.hold.get(part.cursor, Held(part.revision))
    held = replace(known, parts={**known.parts, part.namespace: part})
    return _drain(replace(state, hold=_with(state.hold, part.cursor, held)))


def _on_doubt(state: State, _: Doubt) -> tuple[State, list[Event]]:
    return replace(state, dirty=True), []


def _on_disk(state: State, disk: FromDisk) -> tuple[State, list[Event]]:
    if state.complete:
        return state, []
    state, swapped = _swap(state, disk.table, disk.table.entries.keys())
    return replace(state, dirty=True), [swapped]


def _on_answer(state: State, answer: Answer) -> tuple[State, list[Event]]:
    if answer.asked != state.asks():
        return state, []
    touched: Iterable[Name]
    if answer.kind == "full":
        table = Table.of(answer.revision, answer.cursor, answer.changes)
        # After a restore the same version may mean another value, so everything counts as touched.
        before, after = state.table.entries.keys(), table.entries.keys()
        touched = before | after if answer.reset else state.table.differing(table)
    else:
        table, touched = state.table.overlay(answer.revision, answer.cursor, answer.changes), answer.changes.keys()
    state, swapped = _swap(state, table, touched, answer.reset)
    state, swaps = _drain(replace(state, view=answer.view, complete=True))
    return state, [swapped, *swaps]


def _drain(state: State) -> tuple[State, list[Event]]:
    events: list[Event] = []
    for header in _way_from_mine(state):
        parts = _parts_for_me(state, header)
        if parts is None:
            break
        changes = {name: entry for part in parts for name, entry in (part.changes or {}).items()}
        state, swapped = _swap(state, state.table.overlay(header.revision, header.cursor, changes), changes)
        events.append(swapped)
    return state, events


def _way_from_mine(state: State) -> list[Header]:
    """The held headers after my cursor, oldest first, up to the last one; empty when one of them is missing."""
    way: list[Header] = []
    mine = state.table.cursor
    header = state.last_header if state.complete else None
    while header is not None and header.cursor != mine and len(way) <= HOLD_CURSORS_MAX:
        way.append(header)
        if header.previous == mine:
            return way[::-1]
        before = state.hold.get(header.previous) if header.previous is not None else None
        header = before.header if before else None
    return []


def _parts_for_me(state: State, header: Header) -> list[Part] | None:
    """This release's parts for my namespaces; None unless all of them are held with all their values."""
    held = state.hold.get(header.cursor, Held(header.revision))
    mine = header.namespaces & state.namespaces
    parts = [held.parts[namespace] for namespace in mine if namespace in held.parts]
    return parts if len(parts) == len(mine) and all(part.has_all_values for part in parts) else None


def _swap(state: State, table: Table, names: Iterable[Name], reset: bool = False) -> tuple[State, Swapped]:
    hold = {cursor: held for cursor, held in state.hold.items() if held.revision > table.revision}
    swapped = Swapped(table, state.table, frozenset(names), reset)
    return replace(state, table=table, dirty=False, hold=hold), swapped


def _with(before: Mapping[str, Held], cursor: str, held: Held) -> Mapping[str, Held]:
    hold = {**before, cursor: held}
    size = sum(each.size for each in hold.values())
    while len(hold) > HOLD_CURSORS_MAX or size > HOLD_BYTES_MAX:
        oldest = next(iter(hold))
        size -= hold.pop(oldest).size
    return hold


_RULES: Final[Mapping[type, Callable[[State, Any], tuple[State, list[Event]]]]] = {
    Header: _on_header,
    Part: _on_part,
    Answer: _on_answer,
    Doubt: _on_doubt,
    FromDisk: _on_disk,
}
