"""Guessing passwords is slow, and locks nobody out."""

import pytest

from configsvc.errors import RateLimited
from configsvc.service.throttle import LINE_S_MAX, NAME_WAIT_S_MAX, REMEMBERED_MAX, REMEMBERED_S, Throttle


class Time:
    """A clock that moves when somebody sleeps, and says how long they did."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.slept = seconds


@pytest.fixture
def time() -> Time:
    """One that stands still."""
    return Time()


@pytest.fixture
def throttle(time: Time) -> Throttle:
    """One that nothing has failed at."""
    return Throttle(lambda: time.now, time.sleep)


def fail(throttle: Throttle, name: str, address: str, times: int) -> None:
    """Let attempts fail."""
    for _ in range(times):
        throttle.failed(name, address)


def test_a_few_slips_cost_nothing(throttle: Throttle, time: Time) -> None:
    """The next attempt after them is as quick as the first."""
    fail(throttle, "ada", "203.0.113.7", 3)
    throttle.wait("ada", "203.0.113.7")
    assert time.slept == 0


def test_more_failures_wait_longer(throttle: Throttle, time: Time) -> None:
    """Up to a bound, whatever name is tried from the address."""
    waits = []
    for _ in range(40):
        throttle.failed("ada", "203.0.113.7")
        throttle.wait("bob", "203.0.113.7")
        waits.append(time.slept)
    assert waits == sorted(waits)
    assert waits[-1] == LINE_S_MAX


def test_many_at_once_stand_in_line(time: Time) -> None:
    """Attempts from one address beside each other are no quicker than one after the other, and the line is short."""
    waits: list[float] = []
    throttle = Throttle(lambda: time.now, waits.append)  # whose attempts all begin at the same moment
    fail(throttle, "ada", "203.0.113.7", 7)
    for _ in range(5):
        throttle.wait("ada", "203.0.113.7")
    assert waits == [1.0, 2.0, 3.0, 4.0, 5.0]
    with pytest.raises(RateLimited):
        throttle.wait("ada", "203.0.113.7")


def test_nobody_is_locked_out_by_others(throttle: Throttle, time: Time) -> None:
    """However often somebody's name was tried from elsewhere, from their own address they wait a moment."""
    for number in range(1_000):
        throttle.failed("ada", f"198.51.100.{number}")
    throttle.wait("ada", "203.0.113.7")
    assert 0 < time.slept <= NAME_WAIT_S_MAX


def test_success_and_time_forgive(throttle: Throttle, time: Time) -> None:
    """Who got in begins anew, and so does everybody after a while."""
    fail(throttle, "ada", "203.0.113.7", 9)
    throttle.succeeded("ada", "203.0.113.7")
    throttle.wait("ada", "203.0.113.7")
    assert time.slept == 0
    fail(throttle, "ada", "203.0.113.7", 9)
    time.now += REMEMBERED_S
    throttle.wait("ada", "203.0.113.7")
    assert time.slept == 0


def test_memory_is_bounded(throttle: Throttle) -> None:
    """Names and addresses that somebody makes up can't fill it."""
    for number in range(REMEMBERED_MAX + 100):
        throttle.failed(f"name {number}", f"address {number}")
    assert len(throttle._failures) <= REMEMBERED_MAX
