"""``GET /metrics``, in Prometheus' text format; named by its conventions (https://prometheus.io/docs/practices/naming).

How long requests take, and what ``meters`` has, is counted by each process, in files that all of them can read
(``dev/programs.py``): whichever worker is asked answers for all. The rest is read from the database.
"""

import os
import time
from collections.abc import Iterable, Sequence

from flask import Blueprint, Flask, Response, g, request
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from configsvc import __version__, meters
from configsvc.api import door
from configsvc.api.requests import caller
from configsvc.service.metrics import Figures, Metrics

#: Seconds. Reads take a few milliseconds, commits some more; beyond 2.5 s somebody has given up.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Times:
    """How long requests took, as this process counts them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "configsvc_http_request_duration_seconds",
            "Time from a request to its answer; of what is held, until it is held.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def add(self, method: str, route: str, status: int, began: float) -> None:
        """Count a request that began at ``began`` (of the monotonic clock) and is over now."""
        self._seconds.labels(method, route, status).observe(time.monotonic() - began)


def register(app: Flask) -> Times:
    """Time every request of ``app`` from ``g.began`` on, and return where the times are kept."""
    times = Times()

    def end(response: Response) -> Response:
        if "began" not in g:  # what was held has failed, and has been counted when its view returned
            return response
        # Addresses that are nothing, and words that are no method, come in any number.
        route = request.url_rule.rule if request.url_rule else ""
        method = request.method if request.url_rule else ""
        times.add(method, route, response.status_code, g.began)
        return response

    app.after_request(end)
    return times


def blueprint(metrics: Metrics, times: Times) -> Blueprint:
    """Make the blueprint; ``times``: of ``register``."""
    routes = Blueprint("metrics", __name__)

    @routes.get("/metrics")
    def read() -> Response:
        door.parameters(request)
        figures = metrics.figures(caller())
        registry = CollectorRegistry()
        if meters.MULTIPROC_DIR in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(times.registry)
            registry.register(meters.REGISTRY)
        registry.register(_Families(figures))
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_1_0_0)

    return routes


class _Families:
    """The figures, as Prometheus' library takes them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        environments, watchers = self._figures.environments, self._figures.watchers
        yield InfoMetricFamily("configsvc_build", "What runs here.", {"version": __version__})
        yield GaugeMetricFamily(
            "configsvc_relay_leading", "Whether some relay has the lease.", float(self._figures.relay_leads)
        )
        for name, meaning, column in (
            ("environment_revision", "The environment's newest revision.", "revision"),
            ("outbox_unpublished", "Releases that no relay has published yet.", "unpublished"),
            ("outbox_oldest_unpublished_seconds", "Age of the oldest of them; 0 without any.", "oldest_s"),
            ("change_requests_waiting", "Change requests that are open or approved.", "requests"),
        ):
            yield _gauge(name, meaning, ["env"], [([row["env"]], row[column]) for row in environments])
        for name, meaning, column in (
            ("watchers", "Live clients, by how they hear of changes.", "live"),
            ("watchers_rejecting", "Live clients that refuse a release.", "rejecting"),
        ):
            rows = [([row["env"], row["transport"]], row[column]) for row in watchers]
            yield _gauge(name, meaning, ["env", "transport"], rows)


def _gauge(name: str, meaning: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"configsvc_{name}", meaning, labels=labels)
    for values, number in rows:
        family.add_metric(values, number)
    return family
