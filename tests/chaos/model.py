"""What every revision must look like, replayed from the writes. Pure.

A list of states per history, one for each revision. An answered write fixes its revision. A revision that nobody was
answered may be any one write that was left without an answer, whole; what the clients show narrows down which. A
restore begins a new history at an old revision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf

from tests.chaos.runs import Name, Restore, Run, Values, View, Write, revision_of

#: Ways to explain what was seen. More means that a test leaves far too many writes without an answer.
_WORLDS_MAX = 10_000


@dataclass(frozen=True)
class _World:
    """One way in which it may have been: the state now, and which unanswered writes have made it."""

    values: Values
    used: frozenset[int] = frozenset()


@dataclass
class History:
    """From one restore to the next. The revisions that it shares with the one before are there as well."""

    cursors: dict[int, str] = field(default_factory=dict)
    values: dict[int, Values] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)

    def has(self, cursor: str) -> bool:
        """Whether this cursor names a state of it."""
        return self.cursors.get(revision_of(cursor)) == cursor

    @property
    def end(self) -> int:
        """The newest revision."""
        return max(self.cursors)


def replay(run: Run, problems: list[str]) -> list[History]:
    """Return the histories, oldest first; what contradicts any whole writes is added to ``problems``."""
    base = revision_of(run.base)
    history = History({base: run.base}, {base: {}}, {base: -inf})
    problems += [
        f"torn: {view.cursor} was shown with values before the first write"
        for views in run.clients.values()
        for view in views
        if view.cursor == run.base and view.values
    ]
    histories: list[History] = []
    bounds = [-inf, *(restore.at for restore in run.restores), inf]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        if number > 0:
            history = _branch(history, run.restores[number - 1], problems)
        elsewhere = {cursor for each in histories for cursor in each.cursors.values()}
        writes = [write for write in run.writes if begin < write.asked_at < end]
        seen = [view for views in run.clients.values() for view in views if begin < view.at]
        until = _first_of_next(run, number)
        seen = [view for view in seen if view.cursor not in elsewhere and view.cursor not in until]
        _extend(history, writes, seen, problems)
        histories.append(history)
    return histories


def _branch(before: History, restore: Restore, problems: list[str]) -> History:
    if not before.has(restore.cursor):
        problems.append(f"unknown: restored to {restore.cursor}, which the history before does not have")
    kept = [revision for revision in before.cursors if revision <= revision_of(restore.cursor)]
    return History(
        {revision: before.cursors[revision] for revision in kept},
        {revision: before.values[revision] for revision in kept},
        {revision: before.asked_at[revision] for revision in kept},
    )


def _first_of_next(run: Run, number: int) -> frozenset[str]:
    """Cursors that answers of later histories have named: views of them belong there."""
    if number >= len(run.restores):
        return frozenset()
    at = run.restores[number].at
    return frozenset(write.cursor for write in run.writes if write.cursor is not None and write.asked_at > at)


def _extend(history: History, writes: Sequence[Write], seen: Sequence[View], problems: list[str]) -> None:
    """Play the writes of one history on top of what it has."""
    answered = _by_revision(writes, problems)
    open_writes = [write for write in writes if write.cursor is None]
    views = _views_by_revision(seen, answered, problems)
    worlds = [_World(history.values[history.end])]
    for revision in range(history.end + 1, max([history.end, *answered, *views]) + 1):
        shown = views.get(revision, [])
        write = answered.get(revision)
        if write is not None and write.cursor is not None:
            candidates = [replace(world, values={**world.values, **write.changes}) for world in worlds]
            cursor, asked_at = write.cursor, write.asked_at
        else:
            candidates = list(_guesses(worlds, open_writes))
            cursor = shown[0].cursor if shown else f"{revision}.?"
            asked_at = min((write.asked_at for write in open_writes), default=inf)
        worlds = _narrow(revision, candidates or worlds, shown, known=write is not None, problems=problems)
        if not candidates:
            problems.append(f"unknown: nobody asked for what became revision {revision}")
        history.cursors[revision], history.asked_at[revision] = cursor, asked_at
        history.values[revision] = worlds[0].values


def _by_revision(writes: Sequence[Write], problems: list[str]) -> dict[int, Write]:
    answered: dict[int, Write] = {}
    by_answer = sorted((write for write in writes if write.cursor is not None), key=lambda write: write.answered_at)
    done = 0
    newest = -1
    for write in sorted(by_answer, key=lambda write: write.asked_at):
        while by_answer[done].answered_at < write.asked_at:
            newest = max(newest, revision_of(by_answer[done].cursor or ""))
            done += 1
        revision = revision_of(write.cursor or "")
        if revision in answered:
            problems.append(f"lost: two writes were answered with revision {revision}")
        if revision < newest:
            problems.append(f"backwards: a write asked for after revision {newest} was answered became {revision}")
        answered[revision] = write
    return answered


def _views_by_revision(
    seen: Sequence[View], answered: Mapping[int, Write], problems: list[str]
) -> dict[int, list[View]]:
    views: dict[int, list[View]] = {}
    for view in seen:
        shown = views.setdefault(revision_of(view.cursor), [])
        write = answered.get(revision_of(view.cursor))
        expected = write.cursor if write is not None else shown[0].cursor if shown else view.cursor
        if view.cursor != expected:
            problems.append(f"unknown: {view.cursor} was shown, and that revision is {expected}")
        elif view not in shown:
            shown.append(view)
    return views


def _guesses(worlds: Sequence[_World], open_writes: Sequence[Write]) -> Iterator[_World]:
    for world in worlds:
        for index, write in enumerate(open_writes):
            if index not in world.used:
                yield _World({**world.values, **write.changes}, world.used | {index})


def _narrow(
    revision: int, candidates: Sequence[_World], shown: Sequence[View], *, known: bool, problems: list[str]
) -> list[_World]:
    """Those that explain every view of this revision."""
    if len(candidates) > _WORLDS_MAX:
        raise ValueError(f"{len(candidates)} ways to explain revision {revision}: leave fewer writes unanswered")
    for view in shown:
        left = [world for world in candidates if world.values == view.values]
        if left:
            candidates = left
            continue
        expected = candidates[0].values
        wrong = {name for name in {*expected, *view.values} if expected.get(name) != view.values.get(name)}
        kind = "lost" if known and _is_without_it(view, expected, wrong) else "torn"
        problems.append(
            f"{kind}: revision {revision} was shown as "
            + ", ".join(f"{name}={view.values.get(name)!r} (not {expected.get(name)!r})" for name in sorted(wrong))
        )
    return list(candidates)


def _is_without_it(view: View, expected: Values, wrong: set[Name]) -> bool:
    return all(name not in view.values for name in wrong) and bool(expected)
