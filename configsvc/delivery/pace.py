"""How often clients are asked to sync: as often as configured, and less often when this worker has many of them.

Each worker counts its own, in memory. A client keeps its connection, so it mostly stays with one worker; where it does
not it is counted twice, and asked to come a little less often than it need be.
"""

import math
import threading
import time

#: What regular syncs may come to in one worker: a tenth of its time, at half a millisecond each.
SYNCS_PER_S_MAX = 200
#: The contract's longest interval; a client that is asked for more would be lost for too long before anybody noticed.
NEXT_SYNC_S_MAX = 300
#: More of them change nothing.
CLIENTS_MAX = SYNCS_PER_S_MAX * NEXT_SYNC_S_MAX
#: Clients are counted over the interval and this part more: they keep to it within a tenth.
_COUNT_OVER = 1.2


def interval_s(configured_s: int, clients: int) -> int:
    """Return the seconds from one sync to the next by which so many clients come at a bearable rate."""
    return max(configured_s, min(math.ceil(clients / SYNCS_PER_S_MAX), NEXT_SYNC_S_MAX))


class Pace:
    """Counts the clients that sync here. Safe to share between threads."""

    def __init__(self, configured_s: int) -> None:
        """``configured_s``: the interval while there are few."""
        self._configured_s = configured_s
        self._lock = threading.Lock()
        self._before = 0
        self._heard: set[str] = set()
        self._counted_at = time.monotonic()

    def heard(self, client_id: str) -> None:
        """Count a client that syncs."""
        with self._lock:
            if time.monotonic() - self._counted_at > self._interval_s() * _COUNT_OVER:
                self._before, self._heard, self._counted_at = len(self._heard), set(), time.monotonic()
            if len(self._heard) < CLIENTS_MAX:
                self._heard.add(client_id)

    def next_sync_s(self) -> int:
        """Return the seconds until a client that syncs now should do so again."""
        with self._lock:
            return self._interval_s()

    def _interval_s(self) -> int:
        return interval_s(self._configured_s, max(self._before, len(self._heard)))
