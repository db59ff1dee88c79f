"""A line of those who wait for one event, let go a few at a time.

Thousands who wake at once would shut out all others whom the same worker serves: it would come to them last. So they
are let go in turns, and between two turns the others are served.
"""

import threading
import time

#: Who waits stands with some others at one of so many places: one event for each would cost more than the wait.
_PLACES = 512
#: Long enough for the loop to look for other requests.
_LOOK_ROUND_S = 0.0005


class Line:
    """Waits with others, until all are let go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: list[threading.Event] = []
        self._came = 0
        self._waiting = 0
        self._open = False

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until let go; False if the time is over first. Who comes after the event does not wait."""
        with self._lock:
            if self._open:
                return True
            number = self._came % _PLACES
            if number == len(self._places):
                self._places.append(threading.Event())
            self._came += 1
            self._waiting += 1
        try:
            return self._places[number].wait(timeout_s)
        finally:
            with self._lock:
                self._waiting -= 1

    def open(self) -> bool:
        """Let nobody wait who comes from now on; return whether somebody waits to be let go."""
        with self._lock:
            self._open = True
            return self._waiting > 0

    def let_go(self, at_a_time: int, idle: float = 0.0) -> None:
        """Let all go, in turns of about so many.

        ``idle``: how long to stand by after each turn, as a multiple of the time that it kept the worker busy.
        """
        with self._lock:
            self._open = True
            turn = max(1, at_a_time * len(self._places) // max(1, self._waiting))
        for first in range(0, len(self._places), turn):
            for place in self._places[first : first + turn]:
                place.set()
            began = time.monotonic()
            time.sleep(_LOOK_ROUND_S)
            if idle:
                time.sleep(idle * (time.monotonic() - began))
