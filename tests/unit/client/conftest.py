"""A double of the service, and clients of it that are closed in the end whatever happens."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configclient import ConfigClient, _refresher
from tests.unit.client.double import ENV, TOKEN, ServiceDouble


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceDouble]:
    """A service with `payments` and `global`, one release old."""
    double = ServiceDouble()
    monkeypatch.setattr(_refresher, "connect", double.connect)
    double.commit({"payments": {"rate_limit": 100, "name": "shop", "on": True, "ratio": 0.5, "tree": {"a": [1]}}})
    yield double
    double.close()


@pytest.fixture
def start(service: ServiceDouble) -> Iterator[Callable[..., ConfigClient]]:
    """Start a client of the double; options as ConfigClient's."""
    clients: list[ConfigClient] = []

    def make(namespaces: tuple[str, ...] = ("payments", "global"), **options: Any) -> ConfigClient:
        client = ConfigClient("checkout", ENV, namespaces, **{"url": service.url, "token": TOKEN, **options})
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
