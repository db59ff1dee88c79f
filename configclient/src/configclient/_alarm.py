"""Lets one thread sleep until its next task, and others wake it only if something is due before that.

Whoever wakes a thread for nothing pays for it: a heartbeat each second, and each release of a storm.
"""

import math
import threading
from typing import Final

SLEEP_S_MAX: Final = 3600.0  # a timed wait has a largest value; waking up once an hour for nothing is fine


class Alarm:
    """For one sleeper. Times are in seconds of any one clock; both methods are called with `lock` held."""

    def __init__(self, lock: threading.RLock) -> None:
        self._condition = threading.Condition(lock)
        self._set_to = -math.inf  # nobody sleeps

    def sleep(self, now: float, until: float) -> None:
        """Until then, or until it is set to an earlier time."""
        self._set_to = until
        self._condition.wait(min(until - now, SLEEP_S_MAX))
        self._set_to = -math.inf

    def no_later_than(self, at: float) -> None:
        """Something is due then: whoever would sleep longer wakes, and looks."""
        if at < self._set_to:
            self._set_to = -math.inf
            self._condition.notify()
