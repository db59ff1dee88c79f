"""A connection to Redis that works, or fails within seconds."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from configsvc.domain import redis_addresses

#: A Redis that takes longer is down. A relay's turn may not outlive its lease.
TIMEOUT_S = 1.0


def connect(redis_url: str) -> redis.Redis:
    """Return a client for one server's address, or for the master of whom sentinels know where it is.

    It connects at the first use, replaces a connection that was closed meanwhile before it uses it, and never tries
    again by itself: only who calls knows whether that is still right.
    """
    bounds: dict[str, Any] = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }
    master = redis_addresses.master(redis_url)
    if master is None:
        return redis.Redis.from_url(redis_url, **bounds)
    account = parse_url(master.url)  # type: ignore[no-untyped-call]
    tls = account.pop("connection_class", None) is SSLConnection
    sentinel = Sentinel(master.sentinels, sentinel_kwargs={**bounds, "ssl": tls})  # type: ignore[no-untyped-call]
    connected: redis.Redis = sentinel.master_for(master.name, ssl=tls, **bounds, **account)  # type: ignore[no-untyped-call]
    return connected
