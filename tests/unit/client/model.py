"""A model of the service for random histories, short enough to be obviously right: no database, no network, no time."""

from dataclasses import dataclass, field

from configclient._messages import Answer, Asked, Header, Part
from configclient._table import MISSING, Changes, Entry, Name, Table

ENV = "production"
NAMESPACES = ("mine", "also", "other")
MINE = frozenset({"mine", "also"})

Values = dict[Name, int]


@dataclass(frozen=True)
class Release:
    """One commit. `line` holds the cursors of its whole history, itself included; `values` the state after it."""

    revision: int
    cursor: str
    previous: str | None
    changes: dict[Name, int | None]
    line: tuple[str, ...]
    values: Values
    pushes_values: bool = True


@dataclass
class ModelService:
    """One environment: its present history, and every release that there ever was."""

    history: list[Release] = field(default_factory=lambda: [Release(0, "0.root", None, {}, ("0.root",), {})])
    ever: dict[str, Release] = field(default_factory=dict)
    beat: int = 0
    view: int = 0

    def __post_init__(self) -> None:
        """The empty beginning is a state as well."""
        self.ever["0.root"] = self.history[0]

    @property
    def head(self) -> Release:
        """The newest release."""
        return self.history[-1]

    def commit(self, changes: dict[Name, int | None], pushes_values: bool = True) -> Release:
        """A new release; its cursor is one that was never there, whatever its number."""
        before = self.head
        cursor = f"{before.revision + 1}.{len(self.ever):x}"
        values = {name: value for name, value in {**before.values, **changes}.items() if value is not None}
        line = (*before.line, cursor)
        release = Release(before.revision + 1, cursor, before.cursor, changes, line, values, pushes_values)
        self.history.append(release)
        self.ever[cursor] = release
        return release

    def restore(self, revision: int) -> None:
        """An old backup is brought back: what came after `revision` is gone, its numbers will be used again."""
        del self.history[revision + 1 :]

    def publish(self, release: Release) -> list[Header | Part]:
        """What a relay sends for one release: its parts, then its header."""
        touched = {namespace for namespace, _ in release.changes}
        parts = [self._part(release, namespace) for namespace in sorted(touched)]
        return [*parts, self.header(release)]

    def header(self, release: Release) -> Header:
        """The header, or a heartbeat: each has its own beat."""
        self.beat += 1
        touched = frozenset(namespace for namespace, _ in release.changes)
        return Header(ENV, release.revision, release.cursor, release.previous, touched, self.beat, size=200)

    def answer(self, asked: Asked) -> Answer:
        """What POST /v1/sync says at this moment."""
        known = [release.cursor for release in self.history]
        view = f"view {self.view}"
        if asked.have is None or asked.have not in known or asked.view != view:
            full: Changes = {name: _entry(value) for name, value in self.head.values.items() if name[0] in MINE}
            reset = asked.have is not None and asked.have not in known
            return self._render(asked, "full", full, reset=reset)
        later: dict[Name, Entry | None] = {}
        for release in self.history[known.index(asked.have) + 1 :]:
            later |= {name: _entry(value) for name, value in release.changes.items() if name[0] in MINE}
        return self._render(asked, "changes" if later else "none", later)

    def _part(self, release: Release, namespace: str) -> Part:
        mine = {name: value for name, value in release.changes.items() if name[0] == namespace}
        changes = {name: _entry(value, release.pushes_values) for name, value in mine.items()}
        return Part(ENV, namespace, release.revision, release.cursor, changes, size=300)

    def _render(self, asked: Asked, kind: str, changes: Changes, *, reset: bool = False) -> Answer:
        head = self.head
        return Answer(
            *(asked, kind, reset, head.revision, head.cursor, f"view {self.view}", changes),
            next_sync_s=30.0,
            report_within_s=2.0,
            push=None,
        )


def values_of(table: Table) -> dict[Name, int]:
    """What an application could read of it."""
    return {name: entry.value for name, entry in table.entries.items() if entry.value is not MISSING}


def _entry(value: int | None, with_value: bool = True) -> Entry | None:
    if value is None:
        return None
    # Values never repeat here, so each may be its own version.
    return Entry("int", value, value) if with_value else Entry("int", MISSING, value, secret=True)
