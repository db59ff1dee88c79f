"""The relay's connection to Redis: publishes, or fails within seconds."""

from collections.abc import Sequence

from configsvc.delivery.connection import connect

#: A channel and a frame for it.
Message = tuple[str, bytes]


class Publisher:
    """Publishes messages in order, at a ``redis://``, ``rediss://`` or ``unix://`` address."""

    def __init__(self, redis_url: str) -> None:
        """Connects at the first use. Never retries by itself: only the relay knows whether it still leads."""
        self._redis = connect(redis_url)

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
