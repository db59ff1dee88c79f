"""The pace of syncs: as configured for few clients, bounded in rate and in length for many."""

import pytest

from configsvc.delivery import pace
from configsvc.delivery.pace import CLIENTS_MAX, NEXT_SYNC_S_MAX, SYNCS_PER_S_MAX, Pace, interval_s


class Clock:
    """A clock that we turn."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the paces."""
    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def hear(paced: Pace, clients: int) -> None:
    """So many clients sync."""
    for number in range(clients):
        paced.heard(str(number))


@pytest.mark.parametrize(
    ("clients", "expected_s"),
    [(0, 30), (30 * SYNCS_PER_S_MAX, 30), (60 * SYNCS_PER_S_MAX, 60), (10 * CLIENTS_MAX, NEXT_SYNC_S_MAX)],
)
def test_the_rule(clients: int, expected_s: int) -> None:
    """From a bearable rate on, the interval grows with the clients, up to its bound."""
    assert interval_s(30, clients) == expected_s


def test_what_is_configured_is_the_least() -> None:
    """An operator who asks for long intervals gets them."""
    assert interval_s(NEXT_SYNC_S_MAX, 1) == NEXT_SYNC_S_MAX


def test_clients_are_counted_and_not_syncs(clock: Clock) -> None:
    """The same ones again and again change nothing: pollers, and a storm of releases."""
    paced = Pace(10)
    for _ in range(5):
        hear(paced, 15 * SYNCS_PER_S_MAX)
        assert paced.next_sync_s() == 15


def test_it_falls_when_clients_are_gone(clock: Clock) -> None:
    """Those of the last interval count until the next one is over, so that the pace does not swing."""
    paced = Pace(10)
    hear(paced, 40 * SYNCS_PER_S_MAX)
    assert paced.next_sync_s() == 40
    clock.now += 49
    hear(paced, 1)
    assert paced.next_sync_s() == 40
    clock.now += 49
    hear(paced, 1)
    assert paced.next_sync_s() == 10


def test_memory_is_bounded(clock: Clock) -> None:
    """Whatever ids come, no more are remembered than change something."""
    paced = Pace(10)
    hear(paced, CLIENTS_MAX + 10)
    assert len(paced._heard) == CLIENTS_MAX
