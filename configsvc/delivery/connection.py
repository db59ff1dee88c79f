"""A connection to Redis that works, or fails within seconds."""

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: A Redis that takes longer is down. A relay's turn may not outlive its lease.
TIMEOUT_S = 1.0


def connect(redis_url: str) -> redis.Redis:
    """Return a client for a ``redis://``, ``rediss://`` or ``unix://`` address.

    It connects at the first use, replaces a connection that was closed meanwhile before it uses it, and never tries
    again by itself: only who calls knows whether that is still right.
    """
    return redis.Redis.from_url(
        redis_url,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )
