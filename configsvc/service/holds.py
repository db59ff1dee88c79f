"""Requests that are held until something happens: how many a token may have, and that it still may have them.

Who holds asks again every few seconds whether the caller may still have an answer, from the authenticator's memory, so
that thousands of held requests of one token cost one look-up in ``CACHE_S``; and once more at the end, for rights that
were looked up after what happened. A token that was revoked, and a grant that was taken away, end what they hold within
``RECHECK_S + CACHE_S``, under 10 s.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable

from configsvc.errors import RateLimited
from configsvc.service.access import CACHE_S, Authenticate, Caller

#: Between two looks at the rights of a held request. Nearly all syncs are over before: they are held 5 s at most.
RECHECK_S = 4.9
#: How old what is read may be where a hold ends that nothing has ended. Of thousands a thousand do so each second, and
#: one look-up is for many.
LOOK_S = 0.1
#: Places get free whenever something happens in the environment, or a hold is over.
RETRY_AFTER_S = 5


#: Waits for something, so many seconds at most. Returns the moment (of the monotonic clock) after which every look-up
#: shows that it has happened, and None if it has not. Called again it waits on where it left off.
Wait = Callable[[float], float | None]


class Holds:
    """Holds requests, and counts them by caller. Each worker counts for itself. Safe to share between threads."""

    def __init__(self, held_max: int) -> None:
        """``held_max``: requests of one caller that may be held at a time."""
        self._held_max = held_max
        self._ended = False
        self._lock = threading.Lock()
        self._held: Counter[str] = Counter()

    def end(self) -> None:
        """Let every time that is waited for be over: this process ends. Who waits is woken by what they wait for."""
        self._ended = True

    def left_s(self, deadline: float) -> float:
        """Return the seconds until a moment of the monotonic clock; 0 or less if it is over, or this process ends."""
        return 0.0 if self._ended else deadline - time.monotonic()

    def hold(
        self,
        caller: Caller,
        authenticate: Authenticate,
        check: Callable[[Caller], object],
        wait: Wait,
        timeout_s: float,
    ) -> tuple[Caller, float]:
        """Wait for something, at most ``timeout_s``.

        Returns the caller as the database knows it then, and the moment since when what is looked up is new enough.

        ``check``: raises what ends the hold, for a caller who may no longer have an answer.

        Raises:
            RateLimited: the caller holds as many requests as it may already.
            Unauthenticated: the token was revoked or has expired meanwhile.
        """
        self.take(caller.name)
        try:
            return self.wait(authenticate, check, wait, timeout_s)
        finally:
            self.give_back(caller.name)

    def wait(
        self, authenticate: Authenticate, check: Callable[[Caller], object], wait: Wait, timeout_s: float
    ) -> tuple[Caller, float]:
        """The same for places that are taken already."""
        deadline = time.monotonic() + timeout_s
        while (moved_at := wait(min(timeout_s, RECHECK_S))) is None:
            timeout_s = self.left_s(deadline)
            if timeout_s <= 0:
                break
            check(authenticate(since=time.monotonic() - CACHE_S))
        since = time.monotonic() - LOOK_S if moved_at is None else moved_at
        return authenticate(since=since), since

    def take(self, name: str) -> None:
        """Take one of a caller's places. Raises RateLimited if none is left."""
        with self._lock:
            if self._held[name] >= self._held_max:
                raise RateLimited(
                    f"{name} holds {self._held_max} requests here already: let them end, or ask without waiting",
                    retry_after_s=RETRY_AFTER_S,
                )
            self._held[name] += 1

    def give_back(self, name: str) -> None:
        """Let another one have the place."""
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]
