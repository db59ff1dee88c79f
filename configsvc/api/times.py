"""How long requests take, as this process counts them (``metrics.py`` shows it)."""

import time
from functools import cache

from prometheus_client import CollectorRegistry, Histogram

#: Seconds. Reads take a few milliseconds, commits some more; beyond 2.5 s somebody has given up.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Times:
    """Times of requests, by method, route and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        seconds = Histogram(
            "configsvc_http_request_duration_seconds",
            "Time from a request to its answer; of what is held, until it is held.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        # As many as the histogram has itself, which takes three times as long to find one.
        self._seconds_of = cache(seconds.labels)

    def add(self, method: str, route: str, status: int, began: float) -> None:
        """Count a request that began at ``began`` (of the monotonic clock) and is over now.

        ``route``: as it is declared, "" for an address that is nothing; what a caller may make up fills memory.
        """
        self._seconds_of(method, route, status).observe(time.monotonic() - began)
