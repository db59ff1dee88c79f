"""One look-up for all who ask for the same thing at the same time.

Who comes while a look-up runs can't take its answer: it may have been read before they came, and a read is never stale.
They wait for the next one, which begins after they came, and share that. Who says that something a little older will do
(``since``) takes whatever look-up began after that moment: all whom one release woke share one.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cachetools import LRUCache

from configsvc.errors import Unavailable

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

#: The last look-up of so many keys is remembered. Small things only: large bodies have a memory by size.
REMEMBERED_MAX = 10_000
#: Whoever has waited so long for one that fails, because the database does not answer, fails with it: the next one
#: would take as long again, and answers are promised in seconds.
PATIENCE_S = 1.0


class _Round(Generic[Value]):
    """One look-up: when it began, its outcome, and the event of its end."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.began = 0.0
        self.value: Value
        self.error: BaseException | None = None

    def result(self) -> Value:
        """Wait for the outcome."""
        self.over.wait()  # whoever looks up is bounded: the database answers, or Unavailable is raised
        if self.error is not None:
            raise self.error
        return self.value


class Together(Generic[Key, Value]):
    """Looks things up, at most once at a time for each key. Safe to share between threads."""

    def __init__(self, look_up: Callable[[Key], Value]) -> None:
        self._look_up = look_up
        self._lock = threading.Lock()
        self._running: dict[Key, _Round[Value]] = {}
        self._next: dict[Key, _Round[Value]] = {}
        self._last: LRUCache[Key, _Round[Value]] = LRUCache(REMEMBERED_MAX)

    def __call__(self, key: Key, since: float | None = None) -> Value:
        """Return what a look-up says that began after this call; whatever it raises is raised for all who wait.

        ``since``: a moment of the monotonic clock, if one that began after that will do.
        An error is nobody's but theirs who waited for it.
        """
        came_at = time.monotonic()
        since = came_at if since is None else since
        with self._lock:
            last = self._last.get(key)
            if last is not None and last.began > since:
                return last.value
            before = self._running.get(key)
            # The next one may wait for its turn although none runs: its first comer is about to begin it.
            shared = before if before is not None and before.began > since else self._next.get(key)
            mine: _Round[Value] = shared or _Round()
            if shared is None and before is not None:
                self._next[key] = mine
            elif shared is None:
                self._begin(key, mine)
        if shared is not None:
            return shared.result()
        if before is None:
            return self._run(key, mine)
        before.over.wait()
        with self._lock:  # from here on, newcomers wait for the one after this
            self._begin(key, self._next.pop(key))
        if isinstance(before.error, Unavailable) and time.monotonic() - came_at > PATIENCE_S:
            mine.error = before.error
            return self._end(key, mine)
        return self._run(key, mine)

    def _begin(self, key: Key, mine: _Round[Value]) -> None:
        mine.began = time.monotonic()
        self._running[key] = mine

    def _run(self, key: Key, mine: _Round[Value]) -> Value:
        try:
            mine.value = self._look_up(key)
        except BaseException as error:  # noqa: BLE001  # raised below, for all who wait
            mine.error = error
        return self._end(key, mine)

    def _end(self, key: Key, mine: _Round[Value]) -> Value:
        with self._lock:
            del self._running[key]
            if mine.error is None:
                self._last[key] = mine
        mine.over.set()
        return mine.result()
