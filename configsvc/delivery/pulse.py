"""Whether Redis answers, for whoever asks: at most one question at a time, and never a long wait for its answer."""

import threading

import redis

from configsvc.delivery.connection import TIMEOUT_S, connect
from configsvc.domain import redis_addresses


class Pulse:
    """Asks Redis at most once at a time. Of several nodes one that answers will do: it tells all others."""

    def __init__(self, redis_url: str) -> None:
        """Connects at the first question."""
        self._servers = [connect(url) for url in redis_addresses.nodes(redis_url)]
        self._lock = threading.Lock()
        self._asking: _Question | None = None

    def beats(self) -> bool:
        """Tell whether Redis answers within a second. Sentinels and nodes that hang are asked on behind the caller."""
        with self._lock:
            question = self._asking
            if question is None or question.answered.is_set():
                question = self._asking = _Question()
                threading.Thread(target=self._ask, args=[question], name="configsvc-pulse", daemon=True).start()
        return question.answered.wait(TIMEOUT_S) and question.answer

    def close(self) -> None:
        """Close the connections."""
        for server in self._servers:
            server.close()

    def _ask(self, question: "_Question") -> None:
        try:
            question.answer = any(map(_answers, self._servers))
        finally:
            question.answered.set()


class _Question:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.answer = False


def _answers(server: redis.Redis) -> bool:
    try:
        return bool(server.ping())
    except redis.RedisError:
        server.close()
        return False
