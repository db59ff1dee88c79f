"""When the client's thread is woken, and when it is left alone."""

import threading
from collections.abc import Callable

import pytest

from configclient._alarm import SLEEP_S_MAX, Alarm


class Condition:
    """Stands for the sleeper: while it waits, others say when something is due."""

    def __init__(self, others: Callable[[], None]) -> None:
        self._others = others
        self.timeout = -1.0
        self.woken = 0

    def wait(self, timeout: float) -> None:
        """For one sleep."""
        self.timeout = timeout
        self._others()

    def notify(self) -> None:
        """One more call."""
        self.woken += 1


@pytest.mark.parametrize(
    ("said", "woken"),
    [([], 0), ([20.0, 25.0], 0), ([25.0, 15.0], 1), ([15.0, 12.0], 1), ([float("-inf")], 1)],
)
def test_a_sleeper_is_woken_by_what_is_due_earlier(
    monkeypatch: pytest.MonkeyPatch, said: list[float], woken: int
) -> None:
    """Once, and not by what it will see in time by itself; nobody is woken who does not sleep."""
    alarm = Alarm(threading.RLock())

    def others() -> None:
        for at in said:
            alarm.no_later_than(at)

    sleeper = Condition(others)
    monkeypatch.setattr(alarm, "_condition", sleeper)
    alarm.no_later_than(1.0)
    alarm.sleep(now=10.0, until=20.0)
    alarm.no_later_than(1.0)
    assert (sleeper.timeout, sleeper.woken) == (10.0, woken)


def test_a_sleep_without_end_is_cut_into_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timed wait can't be for ever."""
    alarm = Alarm(threading.RLock())
    sleeper = Condition(lambda: None)
    monkeypatch.setattr(alarm, "_condition", sleeper)
    alarm.sleep(now=10.0, until=float("inf"))
    assert sleeper.timeout == SLEEP_S_MAX
