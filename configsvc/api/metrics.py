"""``GET /metrics``, in Prometheus' text format; named by its conventions (https://prometheus.io/docs/practices/naming).

How long requests take, and what ``meters`` has, is counted by each process, in files that all of them can read
(``dev/programs.py``): whichever worker is asked answers for all. The rest is read from the database.
"""

import os
from collections.abc import Iterable, Sequence

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from configsvc import __version__, meters
from configsvc.api import door
from configsvc.api.requests import caller
from configsvc.api.times import Times
from configsvc.service.metrics import Figures, Metrics


def blueprint(metrics: Metrics, times: Times) -> Blueprint:
    """Make the blueprint; ``times``: those of this process."""
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
