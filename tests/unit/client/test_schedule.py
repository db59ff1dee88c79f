"""When the next sync is due: pure, told the time and the chance."""

import math

import pytest

from configclient._schedule import Schedule

POLL_S = 10.0


def schedule(chance: float = 1.0) -> Schedule:
    """One that has had its first answer at 100, with push started there."""
    plan = Schedule(POLL_S, lambda: chance)
    plan.hurry(100)
    plan.started(100, dirty=True)
    plan.expect_push(100)
    plan.answered(100, news=True, next_sync_s=30, report_within_s=2)
    plan.doubted(False, 100)
    return plan


def test_the_first_load_is_at_once() -> None:
    """An application waits for it, so there is no jitter."""
    plan = Schedule(POLL_S, lambda: 1.0)
    plan.hurry(100)
    assert plan.sync_at() == 100
    assert plan.hold_s(dirty=True) == 0


@pytest.mark.parametrize(("chance", "due"), [(0.0, 127), (1.0, 133)])
def test_with_push_a_sync_every_30_s(chance: float, due: float) -> None:
    """Jittered by a tenth, never held; while heartbeats come."""
    plan = schedule(chance)
    assert plan.sync_at() == due
    assert plan.hold_s(dirty=False) == 0
    plan.heard(102)
    assert plan.wake_at() == 105.5


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_a_doubt_is_synced_within_half_a_second(chance: float) -> None:
    """At a random moment; more doubts do not put it off; none if it is over by then."""
    plan = schedule(chance)
    plan.doubted(True, 101)
    plan.doubted(True, 101.4)
    assert plan.sync_at() == 101 + 0.5 * chance
    plan.doubted(False, 101.5)
    assert plan.sync_at() > 126


def test_what_was_applied_is_reported_in_time() -> None:
    """Within `report_within_s` of the first of several releases; once, by whichever sync goes out."""
    plan = schedule()
    plan.moved(101)
    plan.moved(102)
    assert 101 <= plan.sync_at() <= 103
    plan.started(102.5, dirty=False)
    assert plan.sync_at() == 133


def test_a_storm_of_releases_is_no_storm_of_reports() -> None:
    """The moment of a report is drawn with the first release that it is for, and not again with each."""
    plan = schedule()
    chances = iter([0.9, 0.1])
    plan._random = lambda: next(chances)
    plan.moved(101)
    due = plan.sync_at()
    plan.moved(101.1)
    assert plan.sync_at() == due


def test_silence_is_noticed_once() -> None:
    """3.5 s after the last sign of life polling begins, spread over half a second."""
    plan = schedule()
    plan.heard(110)
    assert not plan.fell_silent(113.4)
    assert plan.wake_at() == 113.5
    assert plan.fell_silent(113.5)
    assert not plan.fell_silent(113.6)
    assert 113.5 <= plan.sync_at() <= 114
    assert plan.hold_s(dirty=True) == 0
    assert plan.hold_s(dirty=False) == 5


def test_a_broken_subscription_counts_at_once() -> None:
    """Nobody waits for the silence when the connection is known to be gone."""
    plan = schedule()
    assert plan.lost(101)
    assert not plan.lost(102)
    assert plan.sync_at() <= 101.5
    plan.heard(105)
    assert plan.hold_s(dirty=False) == 0


def test_polls_follow_one_another() -> None:
    """After a full hold at once; after news soon; after an early "none" with a pause, lest it become a storm."""
    plan = schedule()
    plan.lost(101)
    plan.started(101, dirty=False)
    plan.answered(106, news=False, next_sync_s=30, report_within_s=2)
    assert plan.sync_at() <= 106
    plan.started(106, dirty=False)
    plan.answered(106.01, news=True, next_sync_s=30, report_within_s=2)
    assert plan.sync_at() == pytest.approx(106.1)
    plan.started(107, dirty=False)
    plan.answered(107.01, news=False, next_sync_s=30, report_within_s=2)
    assert plan.sync_at() == 108


@pytest.mark.parametrize("dirty", [True, False])
def test_a_poll_follows_at_once_a_sync_that_was_not_to_be_held(dirty: bool) -> None:
    """Sent in doubt, or while push still counted: its early "none" says nothing about the service's room."""
    plan = schedule(chance=0.0)
    if dirty:
        plan.lost(101)
    plan.started(101, dirty)
    plan.lost(101.001)
    plan.answered(101.01, news=False, next_sync_s=30, report_within_s=2)
    assert plan.sync_at() == pytest.approx(101.1)
    assert plan.hold_s(dirty=False) == 5


def test_a_short_poll_interval_shortens_the_hold() -> None:
    """So that a poll starts at least that often."""
    plan = Schedule(2.5, lambda: 1.0)
    assert plan.hold_s(dirty=False) == 2
    plan = Schedule(0.2, lambda: 1.0)
    plan.started(100, dirty=False)
    plan.answered(100, news=False, next_sync_s=30, report_within_s=2)
    assert plan.hold_s(dirty=False) == 0
    assert plan.sync_at() == 100.2


@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_failures_back_off_within_bounds(chance: float) -> None:
    """At most 3 s, at least a moment; a success forgets them."""
    plan = schedule(chance)
    plan.lost(101)
    waits = []
    for now in range(200, 240):
        plan.started(now, dirty=False)
        plan.failed(now, refused=False, retry_after_s=None)
        waits.append(plan.sync_at() - now)
    assert waits == sorted(waits)
    assert 0.2 < waits[0] <= 0.5
    assert waits[-1] <= 3
    plan.started(300, dirty=False)
    plan.answered(300, news=True, next_sync_s=30, report_within_s=2)
    plan.failed(300, refused=False, retry_after_s=None)
    assert plan.sync_at() - 300 == waits[0]


def test_a_poll_starts_at_least_every_poll_interval() -> None:
    """Though the one before took all its timeouts to fail."""
    plan = schedule()
    plan.lost(101)
    for _ in range(5):
        plan.failed(102, refused=False, retry_after_s=None)
    plan.started(110, dirty=False)
    plan.failed(118, refused=False, retry_after_s=None)
    assert plan.sync_at() == 120


def test_retry_after_is_obeyed() -> None:
    """Even where a doubt would sync sooner; but not for longer than a minute."""
    plan = schedule(chance=0.0)
    plan.doubted(True, 101)
    plan.failed(101, refused=True, retry_after_s=7)
    assert plan.sync_at() == 108
    plan.failed(101, refused=True, retry_after_s=math.inf)
    assert plan.sync_at() == 161


@pytest.mark.parametrize(("chance", "due"), [(0.0, 108), (1.0, 110)])
def test_a_refusal_slows_down_and_never_stops(chance: float, due: float) -> None:
    """401 and 403 are asked again after about `poll_interval_s`."""
    plan = schedule(chance)
    plan.doubted(True, 101)
    for _ in range(20):
        plan.failed(101, refused=True, retry_after_s=None)
    assert plan.sync_at() == due
