"""The judge of every fault test: what was written and what every client showed, replayed against a model. Pure.

The model is a list of states per history, one for each revision. An answered write fixes its revision. A revision that
nobody was answered may be any one write that was left without an answer, whole; what the clients show narrows down
which. A restore begins a new history at an old revision.

What can be wrong, in the words that a problem begins with:

    lost        an answered write is missing from what is shown at its revision or later
    torn        a view that no sequence of whole writes explains: a part of a release, or a mixture of two
    unknown     a cursor that no history has, or one state under two cursors
    early       shown before anybody asked for it
    backwards   an older revision after a newer one of the same history
    stuck       a client that shows a release later than promised, or never; a service that takes no writes again
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import inf

Name = tuple[str, str]
"""(namespace, key)"""
Values = Mapping[Name, object]

#: DESIGN.md §3, guarantee 4: while a part of the push path is down, a release is visible everywhere within this time …
HEALED_WITHIN_S = 5.0
#: … and after any fault has ended, everything is back within this.
BACK_WITHIN_S = 10.0
#: The name by which a fault excuses those who write.
WRITERS = "writers"
#: Ways to explain what was seen. More means that a test leaves far too many writes without an answer.
_WORLDS_MAX = 10_000


@dataclass(frozen=True)
class Write:
    """One release that was asked for. Times are monotonic seconds; unanswered: ``answered_at`` and ``cursor`` None."""

    changes: Values
    asked_at: float
    answered_at: float | None = None
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


@dataclass(frozen=True)
class _World:
    """One way in which it may have been: the state now, and which unanswered writes have made it."""

    values: Values
    used: frozenset[int] = frozenset()


@dataclass
class _History:
    """From one restore to the next. The revisions that it shares with the one before are there as well."""

    cursors: dict[int, str] = field(default_factory=dict)
    values: dict[int, Values] = field(default_factory=dict)
    asked_at: dict[int, float] = field(default_factory=dict)

    def has(self, cursor: str) -> bool:
        return self.cursors.get(revision_of(cursor)) == cursor

    @property
    def end(self) -> int:
        return max(self.cursors)


def revision_of(cursor: str) -> int:
    """The revision that a cursor names."""
    return int(cursor.partition(".")[0])


def judge(run: Run) -> list[str]:
    """Return every problem, one line each; none if all that was promised was kept."""
    problems: list[str] = []
    histories = _replay(run, problems)
    problems += _unserved(run)
    for name, views in run.clients.items():
        if not views:
            problems.append(f"stuck: {name} never showed anything")
            continue
        problems += _order(name, views, run, histories)
        problems += _early(name, views, histories)
        problems += _late(name, views, run, histories)
        if views[-1].cursor != histories[-1].cursors[histories[-1].end]:
            problems.append(f"stuck: {name} ends at {views[-1].cursor}, the history at {_end(histories[-1])}")
    return problems


# The model: which state each revision of each history has.


def _replay(run: Run, problems: list[str]) -> list[_History]:
    base = revision_of(run.base)
    history = _History({base: run.base}, {base: {}}, {base: -inf})
    histories: list[_History] = []
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


def _branch(before: _History, restore: Restore, problems: list[str]) -> _History:
    if not before.has(restore.cursor):
        problems.append(f"unknown: restored to {restore.cursor}, which the history before does not have")
    kept = [revision for revision in before.cursors if revision <= revision_of(restore.cursor)]
    return _History(
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


def _extend(history: _History, writes: Sequence[Write], seen: Sequence[View], problems: list[str]) -> None:
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
    by_answer = sorted((write for write in writes if write.answered_at is not None), key=_answered_at)
    done = 0
    newest = -1
    for write in sorted(by_answer, key=lambda write: write.asked_at):
        while _answered_at(by_answer[done]) < write.asked_at:
            newest = max(newest, revision_of(by_answer[done].cursor or ""))
            done += 1
        revision = revision_of(write.cursor or "")
        if revision in answered:
            problems.append(f"lost: two writes were answered with revision {revision}")
        if revision < newest:
            problems.append(f"backwards: a write asked for after revision {newest} was answered became {revision}")
        answered[revision] = write
    return answered


def _answered_at(write: Write) -> float:
    return inf if write.answered_at is None else write.answered_at


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


# The clients, one by one.


def _order(name: str, views: Sequence[View], run: Run, histories: Sequence[_History]) -> Iterator[str]:
    number = 0
    before = run.base
    for view in views:
        later = range(number + 1, len(histories))
        if not (histories[number].has(view.cursor) and revision_of(view.cursor) >= revision_of(before)):
            # Only a restore that has happened takes a client to another history.
            moved = (n for n in later if histories[n].has(view.cursor) and view.at >= run.restores[n - 1].at)
            found = next(moved, None)
            if found is None:
                kind = "backwards" if any(history.has(view.cursor) for history in histories) else "unknown"
                yield f"{kind}: {name} shows {view.cursor} after {before}"
                continue
            number = found
        before = view.cursor


def _early(name: str, views: Sequence[View], histories: Sequence[_History]) -> Iterator[str]:
    for view in views:
        asked = [h.asked_at[revision_of(view.cursor)] for h in histories if h.has(view.cursor)]
        if asked and view.at < min(asked):
            yield f"early: {name} shows {view.cursor} {min(asked) - view.at:.3f} s before it was asked for"


def _late(name: str, views: Sequence[View], run: Run, histories: Sequence[_History]) -> Iterator[str]:
    faults = _faults_of(name, run)
    for number, history in enumerate(histories):
        over_at = run.restores[number].at if number < len(run.restores) else inf
        for write in run.writes:
            if write.cursor is None or write.answered_at is None or not history.has(write.cursor):
                continue
            if number and histories[number - 1].has(write.cursor):
                continue
            due_at = max(_due_at(write.answered_at, faults), views[0].at)
            if due_at >= over_at:
                continue
            shown_at = _first_at(write.cursor, views, history)
            if shown_at is None:
                yield f"stuck: {name} never showed {write.cursor}, answered at {write.answered_at:.3f}"
            elif shown_at > due_at:
                after_s, late_s = shown_at - write.answered_at, shown_at - due_at
                yield f"stuck: {name} showed {write.cursor} {after_s:.1f} s after its answer, {late_s:.1f} s too late"


def _unserved(run: Run) -> Iterator[str]:
    """Who asks is answered, unless a fault is in the way; and soon after each fault somebody is."""
    faults = _faults_of(WRITERS, run)
    for write in run.writes:
        due_at = write.asked_at + HEALED_WITHIN_S
        if _due_at(write.asked_at, faults) == due_at < _answered_at(write):
            yield f"stuck: a write asked for at {write.asked_at:.3f} was answered at {_answered_at(write):.3f}"
    answers = [write.answered_at for write in run.writes if write.answered_at is not None]
    for fault in faults:
        next_at = min((at for at in answers if at > fault.ended_at), default=inf)
        if next_at > fault.ended_at + BACK_WITHIN_S:
            yield f"stuck: {fault.name} until {fault.ended_at:.3f}, and no write was answered until {next_at:.3f}"


def _faults_of(name: str, run: Run) -> list[Fault]:
    """The faults that excuse somebody."""
    mine = [fault for fault in run.faults if not fault.masked and (fault.who is None or name in fault.who)]
    return sorted(mine, key=lambda fault: fault.began_at)


def _due_at(at: float, faults: Sequence[Fault]) -> float:
    """When something of this moment has to have been done."""
    due_at = at + HEALED_WITHIN_S
    for fault in faults:
        if fault.began_at <= due_at and fault.ended_at + BACK_WITHIN_S >= at:
            due_at = max(due_at, fault.ended_at + BACK_WITHIN_S)
    return due_at


def _first_at(cursor: str, views: Sequence[View], history: _History) -> float | None:
    """When a client first showed this state or a later one of the same history."""
    wanted = revision_of(cursor)
    return next((v.at for v in views if revision_of(v.cursor) >= wanted and history.has(v.cursor)), None)


def _end(history: _History) -> str:
    return history.cursors[history.end]
