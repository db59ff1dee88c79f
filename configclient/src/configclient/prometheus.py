"""How a client is doing, as Prometheus' metrics: `REGISTRY.register(StatusCollector(client))`.

Needs the extra `configclient[prometheus]`.
"""

from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ._client import ConfigClient
from ._status import ClientState, Transport

STATES: Final[tuple[str, ...]] = get_args(ClientState)
TRANSPORTS: Final[tuple[str, ...]] = get_args(Transport)


class StatusCollector(Collector):
    """Tells what `client.status()` says, at the moment that somebody asks. Costs nothing in between.

    Args:
        client: whose status.
        labels: what tells this client from others of the process, such as `{"env": "production"}`.
    """

    def __init__(self, client: ConfigClient, labels: dict[str, str] | None = None) -> None:
        self._client = client
        self._labels = labels or {}

    def describe(self) -> Iterable[Metric]:
        """Return no names, so that a second client with other labels may be registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        status = self._client.status()
        yield self._one_of("configclient_state", "The state that this client is in is 1.", STATES, status.state)
        yield self._one_of("configclient_transport", "How changes arrive now is 1.", TRANSPORTS, status.transport)
        yield self._gauge("configclient_revision", "The revision that is shown.", status.revision)
        if status.staleness_s is not None:
            text = "Seconds since the values were last known to be the newest."
            yield self._gauge("configclient_staleness_seconds", text, status.staleness_s)
        if status.last_sync_at is not None:
            text = "When the service answered last, in seconds since 1970."
            yield self._gauge("configclient_last_sync_timestamp_seconds", text, status.last_sync_at.timestamp())

    def _gauge(self, name: str, meaning: str, value: float) -> Metric:
        family = GaugeMetricFamily(name, meaning, labels=list(self._labels))
        family.add_metric(list(self._labels.values()), value)
        return family

    def _one_of(self, name: str, meaning: str, words: Iterable[str], now: str) -> Metric:
        kind = name.removeprefix("configclient_")
        family = GaugeMetricFamily(name, meaning, labels=[*self._labels, kind])
        for word in words:
            family.add_metric([*self._labels.values(), word], float(word == now))
        return family
