"""The relay's connection to Redis: publishes, or fails within seconds."""

from collections.abc import Sequence

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

#: A Redis that takes longer is down. A turn may not outlive the lease.
_TIMEOUT_S = 1.0

#: A channel and a frame for it.
Message = tuple[str, bytes]


class Publisher:
    """Publishes messages in order, at a ``redis://``, ``rediss://`` or ``unix://`` address."""

    def __init__(self, redis_url: str) -> None:
        """Connects at the first use. Never retries by itself: only the relay knows whether it still leads."""
        self._redis = redis.Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
        )

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish in one round trip.

        Raises:
            redis.RedisError: some or all of them may not have been published.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for channel, frame in messages:
            pipeline.publish(channel, frame)
        pipeline.execute()

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
