"""Slows down whoever guesses passwords, and locks nobody out.

Counted in memory, in each worker by itself, for so many names and addresses; one that is forgotten begins anew.
Somebody whose name is guessed at from elsewhere waits a moment longer, and gets in; a link from the command line waits
for nothing.
"""

import math
import threading
import time
from collections.abc import Callable

from cachetools import TTLCache

from configsvc.errors import RateLimited

#: Failures remembered at a time, and for how long.
REMEMBERED_MAX, REMEMBERED_S = 10_000, 900.0
#: Slips that cost nothing.
FREE = 3
#: What one more failure adds to the wait of the next attempt.
STEP_S = 0.25
#: The longest wait for a name that is tried from many addresses.
NAME_WAIT_S_MAX = 1.0
#: Attempts of one address stand in a line that is no longer than this.
LINE_S_MAX = 5.0


class Throttle:
    """Makes attempts to sign in wait, the longer the more have failed. Safe to share between threads."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._failures: TTLCache[tuple[str, str], int] = TTLCache(REMEMBERED_MAX, REMEMBERED_S, clock)
        self._turns: TTLCache[str, float] = TTLCache(REMEMBERED_MAX, REMEMBERED_S, clock)

    def wait(self, name: str, address: str) -> None:
        """Return when it is this attempt's turn.

        Raises:
            RateLimited: too many attempts from this address wait already.
        """
        now = self._clock()
        with self._lock:
            by_name = min(self._delay_s(("name", name)), NAME_WAIT_S_MAX)
            # Those of one address one after the other: many at once are no way around the wait.
            turn = max(self._turns.get(address, now), now) + min(self._delay_s(("address", address)), LINE_S_MAX)
            line_s = turn - now
            if line_s > LINE_S_MAX:
                raise RateLimited(
                    "too many attempts to sign in from your address: wait a few seconds, then try again",
                    retry_after_s=math.ceil(line_s - LINE_S_MAX),
                )
            self._turns[address] = turn
        self._sleep(max(line_s, by_name))

    def failed(self, name: str, address: str) -> None:
        """Count a failure."""
        with self._lock:
            for key in (("name", name), ("address", address)):
                self._failures[key] = self._failures.get(key, 0) + 1

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of a name and an address that turned out to belong together."""
        with self._lock:
            for key in (("name", name), ("address", address)):
                self._failures.pop(key, None)
            self._turns.pop(address, None)

    def _delay_s(self, key: tuple[str, str]) -> float:
        return max(0, self._failures.get(key, 0) - FREE) * STEP_S
