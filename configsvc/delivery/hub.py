"""The hub: wakes held requests the moment a release commits. One per gunicorn worker (DESIGN.md §5, §6).

One connection of its own hears NOTIFY, and reads the revisions of all environments every second whatever NOTIFY says.
The read is authoritative and may move a revision either way (a restore), or to the same number in another history; a
hint moves it forward and saves a read.

    what happens                what follows
    NOTIFY lost                 the read notices within a second
    a wrong hint                a request wakes, reads, finds nothing new; the next read puts it right
    connection lost             connects again every half second; held requests end at their timeouts meanwhile, or with
                                503 when their tokens are looked at again
    Postgres is back            has the pool replace its dead connections, reads, wakes who waits for what moved
    thousands wait              they stand in a line per environment and revision, and are let go in turns: all within a
                                second, and whoever else asks is served in between. Having been answered they rest until
                                the last one is: asking again is not to delay those who still wait for news

Plain ``threading``: in a worker patched by gevent the thread is a greenlet, and so is everything that waits.
"""

import logging
import math
import threading
import time
from collections.abc import Callable

import psycopg

from configsvc.delivery.bell import Bell
from configsvc.delivery.faults import FaultLog
from configsvc.delivery.line import Line
from configsvc.store import outbox
from configsvc.store.database import Connection, Database, connect

log = logging.getLogger(__name__)

_READ_EVERY_S = 1.0
_RECONNECT_S = 0.5
_STOP_TIMEOUT_S = 5.0
#: A network that swallows packets is found out in about the time of two reads.
_CONNECTION = {"application_name": "configsvc hub", "tcp_user_timeout": "2000"}


#: Answering this many takes some milliseconds: what others wait longer, at each of the few turns that a request takes.
_WAKE_AT_A_TIME = 32
#: They all ask again at once: a fifth of the worker is left to the others.
_RETURN_AT_A_TIME = 10
_RETURN_IDLE = 0.25


class _Seen:
    """A revision (None: not known yet), its cursor (None until read), who waits for its end, and when that was."""

    def __init__(self, revision: int | None, cursor: str | None = None) -> None:
        self.revision = revision
        self.cursor = cursor
        self.over = Line()
        self.over_at = 0.0
        self.rest = Line()


class Hub:
    """Knows every environment's newest revision, and lets requests wait for the next one."""

    def __init__(self, database_url: str, database: Database) -> None:
        """``database_url`` is for a connection of its own; ``database`` is healed after an outage."""
        self._database_url = database_url
        self._database = database
        self._stopping = False
        self._ended = False
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._bell: Bell
        self._seen: dict[str, _Seen] = {}
        self._unseen = _Seen(None)
        self._waking: set[_Seen] = set()
        self._faults = FaultLog(log, "hub: Postgres")
        #: When Postgres last answered here, by the monotonic clock: every second while it does.
        self.heard_at = -math.inf

    def start(self) -> None:
        """Start to listen; again is fine. Call it in the process that serves: a thread does not survive a fork."""
        if self._thread is not None:  # asked with every request
            return
        with self._starting:
            if self._thread is None:
                self._bell = Bell()
                self._thread = threading.Thread(target=self._run, name="configsvc-hub", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Stop, and return when the connection is closed (or after 5 s). For good; again is fine."""
        self._stopping = True
        if self._thread is not None:
            self._bell.ring()
            self._thread.join(_STOP_TIMEOUT_S)

    def end(self) -> None:
        """Wake all who wait, as if their environments had moved: this process ends, and they are to be answered."""
        self._ended = True
        for seen in (*self._seen.values(), self._unseen):
            self._let_go(seen)

    def revision(self, env: str) -> int | None:
        """The newest revision of an environment as far as it is known here, None before the first read."""
        return self._look(env).revision

    def next_move(self, env: str, after_revision: int) -> Callable[[float], float | None]:
        """Return a function that waits until the environment's revision moves on from ``after_revision``.

        It waits so many seconds at most, and may be called again: what moves between two calls is not missed. It
        returns at once if the revision is greater already, and the moment it moves, after a restore backwards or into
        another history, too; None if the time is over first. A smaller one here is old news: the caller has read the
        database just now. What is looked up after the returned moment (of the monotonic clock) shows the move.
        """
        seen = self._look(env)

        def wait(timeout_s: float) -> float | None:
            nonlocal seen
            deadline = time.monotonic() + timeout_s
            while True:
                if seen.revision is not None and seen.revision > after_revision:
                    return time.monotonic()
                if not seen.over.wait(max(0.0, deadline - time.monotonic())):
                    return None
                if seen.revision is not None or self._ended:
                    return seen.over_at
                seen = self._look(env)

        return wait

    def rest(self) -> None:
        """Wait until all who are being woken are answered, and for a place among those who ask again."""
        for seen in tuple(self._waking):
            seen.rest.wait()

    def _look(self, env: str) -> _Seen:
        # In this order: whoever gets the old `unseen` and misses what was just added is woken by the event in it.
        unseen = self._unseen
        return self._seen.get(env, unseen)

    def _run(self) -> None:
        while not self._stopping:
            try:
                with connect(self._database_url, **_CONNECTION) as connection:
                    self._bell.hear(connection)
                    outbox.listen(connection)
                    self._recover()
                    self._follow(connection)
            except psycopg.Error as error:
                self._faults.failed(error)
                self._bell.pause(_RECONNECT_S)
        self._bell.close()

    def _recover(self) -> None:
        # Before anything is learned: whoever wakes will use the pool.
        if self._faults.failing:
            self._faults.worked()
            self._database.heal()

    def _follow(self, connection: Connection) -> None:
        read_at = time.monotonic()
        while not self._stopping:
            if time.monotonic() >= read_at:
                self._learn(outbox.revisions(connection))
                self.heard_at = time.monotonic()
                read_at = self.heard_at + _READ_EVERY_S
            for hint in self._bell.wait_for_hints(connection, until=read_at):
                self._hear(hint)

    def _hear(self, hint: str) -> None:
        env, _, revision = hint.partition(":")
        seen = self._seen.get(env)
        if seen is not None and seen.revision is not None and revision.isdecimal() and int(revision) > seen.revision:
            self._move(env, int(revision))

    def _learn(self, newest: dict[str, tuple[int, str]]) -> None:
        for env, (revision, cursor) in newest.items():
            seen = self._look(env)
            if seen.revision == revision and seen.cursor in (None, cursor):
                seen.cursor = cursor
            else:
                self._move(env, revision, cursor)

    def _move(self, env: str, revision: int, cursor: str | None = None) -> None:
        before = self._look(env)
        self._seen[env] = _Seen(revision, cursor)
        if before is self._unseen:
            self._unseen = _Seen(None)
        self._let_go(before)

    def _let_go(self, seen: _Seen) -> None:
        seen.over_at = time.monotonic()
        if not seen.over.open():
            return
        threading.Thread(target=self._wake, args=(seen,), name="configsvc-hub-wake", daemon=True).start()

    def _wake(self, seen: _Seen) -> None:
        self._waking.add(seen)
        seen.over.let_go(_WAKE_AT_A_TIME)
        seen.rest.let_go(_RETURN_AT_A_TIME, _RETURN_IDLE)
        self._waking.discard(seen)
