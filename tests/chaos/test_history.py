"""The judge itself: it accepts what was promised and finds each way to break the promise."""

from dataclasses import replace

import pytest

from tests.chaos.history import BACK_WITHIN_S, HEALED_WITHIN_S, judge
from tests.chaos.runs import WRITERS, Fault, Restore, Run, Values, View, Write

A, B = ("payments", "pair"), ("search", "pair")
BASE = "4.base"


def both(number: int) -> Values:
    """A state that keeps the invariant: the two namespaces agree."""
    return {A: number, B: number}


def write(number: int, at: float) -> Write:
    """A release that took a tenth of a second and became revision ``number``."""
    return Write(both(number), at, at + 0.1, f"{number}.one")


def view(number: int, at: float, history: str = "one") -> View:
    """The right view of it."""
    return View(at, f"{number}.{history}", both(number))


WRITES = [write(5, 1), write(6, 2), write(7, 3)]
EMPTY = View(0.5, BASE, {})
GOOD = Run(BASE, WRITES, {"a": [EMPTY, view(5, 1.2), view(6, 2.2), view(7, 3.2)], "b": [view(5, 1.3), view(7, 3.3)]})


def shown(*views: View) -> Run:
    """The good run, with one client that showed this."""
    return replace(GOOD, clients={"a": [EMPTY, *views]})


def kinds(run: Run) -> set[str]:
    """What the judge finds, in its words."""
    return {problem.partition(":")[0] for problem in judge(run)}


def test_what_was_promised_is_accepted() -> None:
    """Clients may skip revisions, and may join late."""
    assert judge(GOOD) == []


def test_an_answered_write_that_is_missing() -> None:
    """A view at its revision without what it set, and two writes with one revision, are losses."""
    assert kinds(shown(View(1.2, "5.one", {}), view(7, 3.2))) == {"lost"}
    assert "lost" in kinds(replace(GOOD, writes=[*WRITES, Write(both(9), 2.5, 2.6, "6.one")]))


def test_a_part_of_a_release() -> None:
    """One namespace at the new revision, the other one still at the old."""
    assert kinds(shown(view(5, 1.2), View(2.2, "6.one", {A: 6, B: 5}), view(7, 3.2))) == {"torn"}


def test_a_state_under_the_label_of_another() -> None:
    """Values of revision 7 said to be revision 6: newer than their label."""
    assert "torn" in kinds(shown(View(3.2, "6.one", both(7)), view(7, 3.3)))


def test_an_older_revision_after_a_newer_one() -> None:
    """Within one history nothing goes back."""
    assert kinds(shown(view(6, 2.2), view(5, 2.3), view(7, 3.2))) == {"backwards"}


def test_revisions_in_the_wrong_order() -> None:
    """A write asked for after another was answered has a greater revision."""
    swapped = [write(5, 1), replace(write(7, 2), changes=both(7)), write(6, 3)]
    assert "backwards" in kinds(replace(GOOD, writes=swapped))


@pytest.mark.parametrize("views", [[], [view(6, 2.2)]])
def test_a_client_that_never_gets_there(views: list[View]) -> None:
    """It must end where the history ends."""
    assert kinds(shown(*views)) == {"stuck"}


def test_a_client_that_gets_there_too_late() -> None:
    """Without a fault each release is there within the promised time."""
    assert kinds(shown(view(7, 3.1 + HEALED_WITHIN_S))) == {"stuck"}
    assert kinds(shown(view(7, 1.1 + HEALED_WITHIN_S))) == set()


def test_a_client_that_shows_nothing() -> None:
    """No view at all is no success."""
    assert kinds(replace(GOOD, clients={"a": []})) == {"stuck"}


def test_a_fault_gives_time_until_after_its_end() -> None:
    """What was answered during a fault, or just before, is due some time after it, not later."""
    ended_at = 60.0
    late = replace(GOOD, faults=[Fault("all clients are cut off", 2.5, ended_at, who=frozenset("a"))])
    in_time = [view(6, 2.2), view(7, ended_at + BACK_WITHIN_S)]
    assert judge(replace(late, clients={"a": [EMPTY, view(5, 1.2), *in_time]})) == []
    too_late = [view(6, 2.2), view(7, ended_at + BACK_WITHIN_S + 0.1)]
    assert kinds(replace(late, clients={"a": [EMPTY, view(5, 1.2), *too_late]})) == {"stuck"}


def test_a_fault_that_has_to_be_masked_gives_no_time() -> None:
    """While a part of the push path is down, everything is due as always; another client's trouble is no excuse."""
    late = [view(5, 1.2), view(7, 20)]
    for fault in (Fault("Redis is down", 0, 30, masked=True), Fault("paused", 0, 30, who=frozenset("b"))):
        assert kinds(replace(shown(*late), faults=[fault])) == {"stuck"}
    assert judge(replace(shown(*late), faults=[Fault("paused", 0, 30, who=frozenset("a"))])) == []


def test_who_writes_is_answered() -> None:
    """In time, if nothing is in the way; and again soon after a fault."""
    unanswered = Write(both(66), 40)
    assert kinds(replace(GOOD, writes=[*WRITES, unanswered])) == {"stuck"}
    slow = [*WRITES[:2], replace(WRITES[2], answered_at=3.1 + HEALED_WITHIN_S)]
    assert kinds(replace(GOOD, writes=slow)) == {"stuck"}
    excuse = Fault("Postgres is down", 38, 41)
    assert kinds(replace(GOOD, writes=[*WRITES, unanswered], faults=[excuse])) == {"stuck"}
    answered = Write(both(8), 45, 46, "8.one")
    again = replace(GOOD, writes=[*WRITES, unanswered, answered], clients={"a": [*GOOD.clients["a"], view(8, 46)]})
    assert judge(replace(again, faults=[excuse])) == []
    assert kinds(replace(again, faults=[replace(excuse, masked=True)])) == {"stuck"}
    assert kinds(replace(again, faults=[replace(excuse, who=frozenset("a"))])) == {"stuck"}


def test_an_unanswered_write_may_be_there_or_not() -> None:
    """Whole, in the gap that it fills, and then for everybody."""
    unanswered = Write({A: 66, B: 66}, 1.5)
    run = replace(GOOD, faults=[Fault("its worker was killed", 1.5, 1.6, who=frozenset({WRITERS}))])
    writes = [WRITES[0], WRITES[2], unanswered]
    there = View(2.2, "6.two", {A: 66, B: 66})
    assert judge(replace(run, clients={"a": [view(5, 1.2), there, view(7, 3.2)]}, writes=writes)) == []
    absent = [WRITES[0], write(6, 3), unanswered]
    assert judge(replace(run, writes=absent, clients={"a": [EMPTY, view(5, 1.2), view(6, 3.2)]})) == []


def test_an_unanswered_write_is_whole() -> None:
    """A half of it is torn; so is one that is gone again, or shown under two cursors."""
    unanswered = Write({("payments", "c"): 1, ("search", "c"): 1}, 1.5)
    fault = Fault("its worker was killed", 1.5, 1.6, who=frozenset({WRITERS}))
    run = replace(GOOD, writes=[WRITES[0], WRITES[2], unanswered], faults=[fault])
    whole = View(2.2, "6.two", {**both(5), **unanswered.changes})
    after = View(3.2, "7.one", {**both(7), **unanswered.changes})
    assert judge(replace(run, clients={"a": [view(5, 1.2), whole, after]})) == []
    half = replace(whole, values={**both(5), ("payments", "c"): 1})
    assert "torn" in kinds(replace(run, clients={"a": [view(5, 1.2), half, after]}))
    assert "lost" in kinds(replace(run, clients={"a": [view(5, 1.2), whole, view(7, 3.2)]}))
    other = replace(whole, cursor="6.three")
    assert "unknown" in kinds(replace(run, clients={"a": [view(5, 1.2), whole, after], "b": [other, after]}))


def test_a_revision_that_nobody_asked_for() -> None:
    """A gap with no write to fill it."""
    assert "unknown" in kinds(replace(GOOD, writes=[WRITES[0], WRITES[2]]))


def test_values_before_the_first_write() -> None:
    """What nobody has written yet is no value."""
    assert kinds(shown(View(0.7, BASE, both(5)), view(7, 3.2))) == {"torn"}


def test_a_view_before_anybody_asked() -> None:
    """Nobody knows what comes."""
    assert kinds(shown(view(7, 2.9))) == {"early"}


def test_a_cursor_that_is_nobodys() -> None:
    """The right number and values under another hash are another history."""
    assert "unknown" in kinds(shown(replace(view(6, 2.2), cursor="6.other"), view(7, 3.2)))


RESTORED = Run(
    BASE,
    [*WRITES, Write(both(60), 11, 11.1, "6.new"), Write(both(70), 12, 12.1, "7.new")],
    {},
    faults=[Fault("restoring", 9, 10)],
    restores=[Restore(10, "5.one")],
)
BEFORE = [view(5, 1.2), view(6, 2.2), view(7, 3.2)]
AFTER = [View(11.2, "6.new", both(60)), View(12.2, "7.new", both(70))]


def test_after_a_restore_clients_follow() -> None:
    """Back to the restored state, or past it at once: the same numbers mean other states now."""
    assert judge(replace(RESTORED, clients={"a": [*BEFORE, view(5, 10.5), *AFTER], "b": [*BEFORE, *AFTER]})) == []


def test_after_a_restore_nobody_returns_to_the_dead_history() -> None:
    """Nor stays there, nor mixes the two, nor goes back before the restore has happened."""
    assert "backwards" in kinds(replace(RESTORED, clients={"a": [*BEFORE, AFTER[0], view(7, 11.5), AFTER[1]]}))
    assert kinds(replace(RESTORED, clients={"a": BEFORE})) == {"stuck"}
    mixed = View(11.2, "6.new", {A: 60, B: 7})
    assert "torn" in kinds(replace(RESTORED, clients={"a": [*BEFORE, mixed, AFTER[1]]}))
    assert "backwards" in kinds(replace(RESTORED, clients={"a": [*BEFORE, view(5, 9.9), *AFTER]}))
