"""The judge of every fault test: what was written and what every client showed, held against a model. Pure.

What can be wrong, in the words that a problem begins with:

    lost        an answered write is missing from what is shown at its revision or later
    torn        a view that no sequence of whole writes explains: a part of a release, or a mixture of two
    unknown     a cursor that no history has, or one state under two cursors
    early       shown before anybody asked for it
    backwards   an older revision after a newer one of the same history
    stuck       a client that shows a release later than promised, or never; a service that takes no writes again
"""

from collections.abc import Iterator, Sequence
from math import inf

from tests.chaos.model import History, replay
from tests.chaos.runs import WRITERS, Fault, Run, View, revision_of

#: DESIGN.md §3, guarantee 4: while a part of the push path is down, a release is visible everywhere within this time …
HEALED_WITHIN_S = 5.0
#: … and after any fault has ended, everything is back within this.
BACK_WITHIN_S = 10.0


def judge(run: Run) -> list[str]:
    """Return every problem, one line each; none if all that was promised was kept."""
    problems: list[str] = []
    histories = replay(run, problems)
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


def _order(name: str, views: Sequence[View], run: Run, histories: Sequence[History]) -> Iterator[str]:
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


def _early(name: str, views: Sequence[View], histories: Sequence[History]) -> Iterator[str]:
    for view in views:
        asked = [h.asked_at[revision_of(view.cursor)] for h in histories if h.has(view.cursor)]
        if asked and view.at < min(asked):
            yield f"early: {name} shows {view.cursor} {min(asked) - view.at:.3f} s before it was asked for"


def _late(name: str, views: Sequence[View], run: Run, histories: Sequence[History]) -> Iterator[str]:
    faults = _faults_of(name, run)
    for number, history in enumerate(histories):
        over_at = run.restores[number].at if number < len(run.restores) else inf
        for write in run.writes:
            if write.cursor is None or not history.has(write.cursor):
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
        if _due_at(write.asked_at, faults) == due_at < write.answered_at:
            yield f"stuck: a write asked for at {write.asked_at:.3f} was answered at {write.answered_at:.3f}"
    answers = [write.answered_at for write in run.writes]
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


def _first_at(cursor: str, views: Sequence[View], history: History) -> float | None:
    """When a client first showed this state or a later one of the same history."""
    wanted = revision_of(cursor)
    return next((v.at for v in views if revision_of(v.cursor) >= wanted and history.has(v.cursor)), None)


def _end(history: History) -> str:
    return history.cursors[history.end]
