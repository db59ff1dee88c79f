"""One look-up for all who ask for the same thing at the same time.

Who comes while a look-up runs can't take its answer: it may have been read before they came, and a read is never stale.
They wait for the next one, which begins after they came, and share that.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class _Round(Generic[Value]):
    """One look-up: its outcome, and the event of its end."""

    def __init__(self) -> None:
        self.over = threading.Event()
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

    def __call__(self, key: Key) -> Value:
        """Return what a look-up says that began after this call; whatever it raises is raised for all who wait."""
        with self._lock:
            before = self._running.get(key)
            shared = self._next.get(key)
            mine = _Round[Value]() if shared is None else shared
            if shared is None:
                (self._running if before is None else self._next)[key] = mine
        if shared is not None:
            return shared.result()
        if before is not None:
            before.over.wait()
            with self._lock:  # from here on, newcomers wait for the one after this
                self._running[key] = self._next.pop(key)
        return self._run(key, mine)

    def _run(self, key: Key, mine: _Round[Value]) -> Value:
        try:
            mine.value = self._look_up(key)
        except BaseException as error:
            mine.error = error
            raise
        finally:
            with self._lock:
                del self._running[key]
            mine.over.set()
        return mine.value
