"""How many requests a caller may make; time is a number here."""

from collections.abc import Callable

import pytest

from configsvc.errors import RateLimited
from configsvc.service import rates
from configsvc.service.rates import BURST_S, CALLERS_MAX, Rates


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time on."""
    now = [1000.0]
    monkeypatch.setattr(rates.time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def taken(limit: Rates, caller: str) -> int:
    """Take until it is refused; how often that went well."""
    count = 0
    while True:
        try:
            limit.take(caller)
        except RateLimited:
            return count
        count += 1


def test_a_burst_and_then_the_rate(clock: Callable[[float], None]) -> None:
    """Two seconds' worth at once; after that as many as time has passed for, and never more than the burst again."""
    limit = Rates(128)
    assert taken(limit, "a") == 128 * BURST_S
    clock(0.5)
    assert taken(limit, "a") == 64
    clock(3600)
    assert taken(limit, "a") == 128 * BURST_S


def test_refused_requests_cost_nothing(clock: Callable[[float], None]) -> None:
    """Who goes on asking is not kept out for longer."""
    limit = Rates(16)
    taken(limit, "a")
    for _ in range(100):
        with pytest.raises(RateLimited):
            limit.take("a")
    clock(1)
    assert taken(limit, "a") == 16


def test_callers_are_counted_apart(clock: Callable[[float], None]) -> None:
    """One that runs wild takes nothing from the others; whoever was not seen for long is forgotten."""
    limit = Rates(1)
    taken(limit, "wild")
    assert taken(limit, "calm") == BURST_S
    for number in range(CALLERS_MAX):
        limit.take(str(number))
    assert taken(limit, "wild") == BURST_S


def test_the_refusal_says_when_to_come_back(clock: Callable[[float], None]) -> None:
    """After ``retry_after_s`` whole seconds, not before, the next request is taken."""
    limit = Rates(1)
    taken(limit, "a")
    with pytest.raises(RateLimited, match="a makes more than 1 requests a second: wait") as refused:
        limit.take("a")
    assert refused.value.retry_after_s == 1
    clock(1)
    limit.take("a")
