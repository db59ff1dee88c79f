"""How many requests a token may make, so that one that runs wild leaves room for the others.

Each worker counts for itself, in memory: no request waits for a shared counter, and with N workers a token gets between
one and N times the rate, as its connections fall. One application's token is shared by all its instances, which come
back together after an outage: hence the burst.
"""

import math
import threading
import time

from cachetools import LRUCache

from configsvc.errors import RateLimited

#: Seconds' worth of requests that may come at once.
BURST_S = 2.0
#: Callers remembered at a time. One that is forgotten has its whole burst again.
CALLERS_MAX = 10_000


class Rates:
    """Counts requests by caller. Safe to share between threads.

    A caller's requests are paid for at the rate, one after the other; who would owe more than ``BURST_S`` is refused.
    (The generic cell rate algorithm: a token bucket that needs one number and no timer.)
    """

    def __init__(self, requests_per_s: int) -> None:
        self._requests_per_s = requests_per_s
        self._cost_s = 1.0 / requests_per_s
        self._lock = threading.Lock()
        self._paid_at: LRUCache[str, float] = LRUCache(CALLERS_MAX)

    def take(self, caller: str) -> None:
        """Count one request.

        Raises:
            RateLimited: it is one too many; it was not counted.
        """
        now = time.monotonic()
        with self._lock:
            paid_at = max(self._paid_at.get(caller, now), now) + self._cost_s
            over_s = paid_at - now - BURST_S
            if over_s <= 0:
                self._paid_at[caller] = paid_at
                return
        raise RateLimited(
            f"{caller} makes more than {self._requests_per_s} requests a second: wait as long as Retry-After says",
            retry_after_s=math.ceil(over_s),
        )
