"""Uses of configclient's API with the types that users see. Checked by mypy, never run."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any, assert_type

from flask import Flask

import configclient
from configclient import (
    AccessDenied,
    Change,
    ConfigClient,
    ConfigError,
    ConfigRejected,
    ConfigUnavailable,
    InvalidSettings,
    Listener,
    Live,
    MissingKey,
    SecretUnavailable,
    Snapshot,
    Status,
    WrongType,
    asgi,
    wsgi,
)
from configclient.flask import PinRequests
from configclient.testing import DELETED, FakeClient


def use(*values: object) -> None:
    """Stands for whatever an application does with them."""


def construct() -> None:
    """Three positional arguments, everything else by name."""
    ConfigClient("checkout", "production", ["payments", "global"])
    ConfigClient("checkout", "production", ("payments",), url="https://config:8400", token=os.environ["TOKEN"])
    ConfigClient(
        "checkout",
        "production",
        {"payments"},
        poll_interval_s=2.5,
        start_timeout_s=1,
        strict=True,
        push=False,
        ca_file=Path("ca.pem"),
        cache_dir="/var/cache/checkout",
        accept=validate,
    )


def validate(snapshot: Snapshot) -> None:
    """What `accept` takes."""
    if snapshot.get_int("payments", "rate_limit") <= 0:
        raise ValueError("rate_limit must be positive")


def read(client: ConfigClient) -> None:
    """Typed getters give their type; `get` and `get_json` give whatever is there."""
    value: Any = client.get("payments", "rate_limit")
    value = client.get("payments", "rate_limit", 50)
    value = client.get_json("payments", "tree", {"a": 1})
    use(value)
    assert_type(client.get_str("payments", "name"), str)
    assert_type(client.get_int("payments", "rate_limit", 50), int)
    assert_type(client.get_float("payments", "ratio", 0.5), float)
    assert_type(client.get_bool("payments", "on", default=True), bool)


def read_one_revision(client: ConfigClient) -> None:
    """Snapshots have the same getters."""
    snapshot = client.snapshot()
    assert_type(snapshot, Snapshot)
    assert_type(snapshot.revision, int)
    assert_type(snapshot.get_int("payments", "rate_limit"), int)
    with client.pinned() as pinned:
        assert_type(pinned, Snapshot)
    with client.pinned(snapshot) as pinned:
        assert_type(pinned, Snapshot)


def pin_requests(client: ConfigClient, app: Flask, asgi_app: asgi.App) -> None:
    """One revision per request."""
    PinRequests(app, client)
    app.wsgi_app = wsgi.PinnedMiddleware(app.wsgi_app, client)  # type: ignore[method-assign]
    use(asgi.PinnedMiddleware(asgi_app, client))


async def with_asyncio() -> None:
    """The twins of the constructor, `wait_for` and `close`."""
    client = await ConfigClient.astart("checkout", "production", ["payments"], cache_dir=Path("cache"))
    assert_type(client, ConfigClient)
    assert_type(await client.await_for(46, timeout=5), bool)
    await client.aclose()
    async with client as same:
        assert_type(same, ConfigClient)


def in_tests() -> None:
    """A client with values and no server."""
    client = FakeClient({"payments": {"rate_limit": 100}}, strict=True, accept=validate)
    assert_type(client.push({"payments": {"rate_limit": 200, "old_key": DELETED}}), int)
    client.set_state("offline", "no route to host")
    read(client)


def follow(client: ConfigClient) -> None:
    """Live handles, listeners, waiting, status."""
    limit = client.live("payments", "rate_limit", 50)
    assert_type(limit, Live)
    use(limit.value + 1)
    handle = client.on_change(changed, namespace="payments", key="rate_limit")
    assert_type(handle, Listener)
    handle.cancel()
    client.on_change(use)
    assert_type(client.wait_for(46, timeout=5), bool)
    status = client.status()
    assert_type(status, Status)
    assert_type(status.revision, int)
    assert_type(status.since, datetime)
    assert_type(status.last_sync_at, datetime | None)
    assert_type(status.staleness_s, float | None)
    assert_type(status.last_error, str | None)
    if status.state == "offline" or status.transport == "none":
        use(status)


def changed(change: Change) -> None:
    """What listeners take."""
    use(change.namespace, change.key, change.old, change.new, change.revision + 1)


def close(client: ConfigClient) -> None:
    """By hand, or as a context manager."""
    client.close()
    with ConfigClient("checkout", "production", ["payments"]) as other:
        assert_type(other, ConfigClient)


def errors() -> list[type[ConfigError]]:
    """All of them are ConfigError."""
    try:
        construct()
    except (InvalidSettings, AccessDenied) as error:
        use(error)
    except ConfigError:
        raise
    assert_type(configclient.__version__, str)
    return [ConfigUnavailable, ConfigRejected, MissingKey, SecretUnavailable, WrongType]
