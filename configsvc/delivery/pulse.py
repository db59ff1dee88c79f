"""Whether Redis answers, for whoever asks."""

import redis

from configsvc.delivery.connection import connect
from configsvc.delivery.inquiry import Inquiry, Question
from configsvc.domain import redis_addresses


class Pulse:
    """Asks Redis at most once at a time. Of several nodes one that answers will do: it tells all others."""

    def __init__(self, redis_url: str) -> None:
        """Connects at the first question."""
        self._servers = [connect(url) for url in redis_addresses.nodes(redis_url)]
        self._inquiry = Inquiry("configsvc-pulse", lambda: any(map(_answers, self._servers)))

    def ask(self) -> Question[bool]:
        """Ask whether it answers. Sentinels and nodes that hang are asked on behind the caller."""
        return self._inquiry.ask()

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.close()


def _answers(server: redis.Redis) -> bool:
    try:
        return bool(server.ping())
    except redis.RedisError:
        server.close()
        return False
