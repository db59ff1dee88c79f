"""The relay's connection to Redis: publishes, or fails within seconds."""

from collections.abc import Sequence
from itertools import cycle

import redis

from configsvc.delivery.connection import connect
from configsvc.domain import redis_addresses

#: A channel and a frame for it.
Message = tuple[str, bytes]


class Publisher:
    """Publishes messages in order. Of several nodes it keeps to one until that fails: any of them tells all others."""

    def __init__(self, redis_url: str) -> None:
        """Connects at the first use. Never retries by itself: only the relay knows whether it still leads."""
        self._servers = cycle([connect(url) for url in redis_addresses.nodes(redis_url)])
        self._redis = next(self._servers)

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish in one round trip.

        Raises:
            redis.RedisError: some or all of them may not have been published.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for channel, frame in messages:
            pipeline.publish(channel, frame)
        try:
            pipeline.execute()
        except redis.RedisError:
            self._redis.close()
            self._redis = next(self._servers)
            raise

    def close(self) -> None:
        """Close the connection."""
        self._redis.close()
