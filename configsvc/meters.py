"""What each process counts, for ``GET /metrics``; named by Prometheus' conventions.

Processes that are told of one folder (``PROMETHEUS_MULTIPROC_DIR``) count in files of it, and whichever worker is asked
answers for all of them. The library looks for that folder when it is imported.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"

REGISTRY = CollectorRegistry()

held = Gauge(
    "configsvc_held_requests",
    "Requests that are held now: polls until there is news, streams until they end.",
    ("kind",),
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
pool_waits = Counter(
    "configsvc_database_pool_waits",
    "Times that somebody waited over a millisecond for a connection to Postgres.",
    registry=REGISTRY,
)
pool_wait_seconds = Counter(
    "configsvc_database_pool_wait_seconds",
    "How long they waited, together.",
    registry=REGISTRY,
)
database_errors = Counter(
    "configsvc_database_errors",
    "Statements and connections that Postgres did not answer: what callers see as 503.",
    registry=REGISTRY,
)
faults = Counter(
    "configsvc_faults",
    "Failures of a part that works in the background, and tries again.",
    ("part",),
    registry=REGISTRY,
)
published = Counter(
    "configsvc_relay_published_releases",
    "Releases that the relay here has published.",
    registry=REGISTRY,
)
