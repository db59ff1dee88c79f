"""Keeps the state true: applies what push brings, decides when to sync, and does it. One thread of its own.

| thread | waits for | does |
| --- | --- | --- |
| push listener (`_push`) | Redis | verifies each message and applies it: values are visible before the next is read |
| refresher (this) | dirty, a timer, stop, a listener to call | syncs, one at a time; calls the listeners |

All state below is changed under `board.changed`. The lock is never held during I/O, nor while code of the application
runs. The rules are in `_state`, the times in `_schedule`; this module only carries messages between them and the world.

| failure | what happens |
| --- | --- |
| push silent or broken | polling begins within 0.5 s, and goes on until a heartbeat is heard |
| service down | push goes on; syncs are tried with backoff; the last values stay |
| a listener blocks | pushed values are shown all the same; syncs wait until it returns |
| closed while the service is away | nobody takes leave of it: it will miss this instance by itself |
"""

import logging
import math
import os
import socket
import threading
import uuid
from collections.abc import Callable
from typing import Any, Final

from ._alarm import Alarm
from ._board import Board
from ._cache import Cache
from ._messages import (
    Answer,
    Asked,
    BadFrame,
    Keys,
    Malformed,
    Part,
    PushOffer,
    UnknownSigner,
    changes_channel,
    read_answer,
    read_frame,
    releases_channel,
)
from ._push import PushListener, connect, import_redis
from ._schedule import Schedule
from ._settings import Settings
from ._standing import Standing
from ._state import Alive, Doubt, Event, FromDisk, Incoming, State, Swapped, apply
from ._status import Status
from ._sync import SyncApi, SyncFailed

log = logging.getLogger("configclient")

UNDECIDED: Final = "accept has not decided yet"
SDK: Final = "configclient/0.1"
UNKNOWN_SIGNER_PAUSE_S: Final = 10.0  # whoever can write to Redis must not make all clients sync all the time

PAUSE_TIMEOUT_S: Final = 2.0  # an application's own code may be running on the thread: not even that can hang it


class Refresher:
    """See the module. `start`, then `stop` once; the listener's `Sink` methods are called from its thread."""

    def __init__(
        self, settings: Settings, board: Board, *, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._board = board
        self._clock = clock
        self._random = random
        self._api = SyncApi(settings, clock)
        self._cache = Cache(settings.cache_dir, settings) if settings.cache_dir is not None else None
        self._state = State(frozenset(settings.namespaces))
        self._standing = Standing(settings.env, board, clock)
        self._keys: Keys = {}
        self._unknown_at = -UNKNOWN_SIGNER_PAUSE_S
        self.denied: str | None = None
        self._client_id = str(uuid.uuid4())
        self._reported = False
        self._begin()

    def _begin(self) -> None:
        """What threads that are to be started share with no earlier ones."""
        self._schedule = Schedule(self._settings.poll_interval_s, self._random)
        self._standing.begin_anew()
        env = self._settings.env
        channels = (releases_channel(env), *(changes_channel(name, env) for name in self._settings.namespaces))
        self._listener = PushListener(
            channels,
            self,
            connect=lambda url: connect(url, self._settings.ca_file),
            clock=self._clock,
            random=self._random,
        )
        # A fork inside a listener leaves the parent's refresher running in the child, on its way out: it has another
        # life. Not `current_thread()`: gevent's patches make that another object in a thread that was there before.
        self._life: object | None = object()
        self._thread = threading.Thread(target=self._run, args=[self._life], name="configclient-refresher", daemon=True)
        self._alarm = Alarm(self._board.lock)

    # Life.

    def start(self) -> None:
        """Begin with a sync at once."""
        self._schedule.hurry(self._clock())
        self._thread.start()
        if self._settings.push:
            import_redis()

    def load_from_disk(self) -> None:
        """Show what an earlier run has left, if that can be trusted and the service has still not answered."""
        table = self._cache.load() if self._cache is not None else None
        if table is None:
            return
        with self._board.changed:
            if not self._state.complete:
                self._standing.sync_fault = self._standing.sync_fault or f"{self._settings.url}: no answer in time"
                log.warning("%s: started from %s, at revision %d", self._settings.env, self._cache, table.revision)
        self._apply(FromDisk(table))

    def stop(self, timeout_s: float) -> None:
        """End both threads and the request in flight. May be called twice, and by a listener."""
        with self._board.changed:
            self._standing.closed = True
            self._tell()
            self._board.wake()
        self._end_threads(timeout_s)

    def _end_threads(self, timeout_s: float) -> None:
        self._listener.stop()
        self._api.abort()
        deadline = self._clock() + timeout_s
        for thread in (self._thread, self._listener.thread):
            if thread is None or thread is threading.current_thread() or not thread.is_alive():
                continue
            thread.join(max(0.0, deadline - self._clock()))
            if thread.is_alive():
                log.warning("%s did not end within %g s; as a daemon it ends with the process", thread.name, timeout_s)

    def hold_still(self) -> None:
        """See `_process.Resident`."""
        self._board.changed.acquire()

    def go_on(self) -> None:
        """See `_process.Resident`."""
        self._board.changed.release()

    def restart_in_child(self) -> None:
        """See `_process.Resident`. Same values, nothing else of the parent's."""
        self._board.renew_locks()
        self._board.forget_calls()
        self._api.abandon()
        self._listener.abandon()
        self._client_id = str(uuid.uuid4())
        self._reported = False
        self._go_on_anew()

    def pause(self) -> None:
        """See `_process.Resident`."""
        with self._board.changed:
            self._life = None
            self._alarm.no_later_than(-math.inf)
        self._end_threads(PAUSE_TIMEOUT_S)
        self._api.close()

    def resume(self) -> None:
        """See `_process.Resident`."""
        self._board.renew_locks()
        self._api = SyncApi(self._settings, self._clock)
        self._go_on_anew()

    def _go_on_anew(self) -> None:
        if self.closed:
            return
        self._begin()
        self._apply(Doubt())
        self._thread.start()

    @property
    def following(self) -> str:
        """What this follows, for people."""
        return f"{self._settings.env} {','.join(self._settings.namespaces)}"

    @property
    def closed(self) -> bool:
        """Whether `stop` was called."""
        return self._standing.closed

    # What push brings. Called on the listener's thread.

    def on_subscribed(self) -> None:
        """See `_push.Sink`."""
        self._apply(Doubt())

    def on_lost(self, reason: str) -> None:
        """See `_push.Sink`."""
        with self._board.changed:
            self._standing.unheard(f"push: {reason}")
            if self._schedule.lost(self._clock()):
                self._take(Doubt())
            self._tell()

    def on_frame(self, channel: str, frame: bytes) -> bool:
        """See `_push.Sink`."""
        try:
            message = read_frame(frame, channel, self._settings.env, self._keys)
        except BadFrame as error:
            log.debug("dropped a message on %s: %s", channel, error)
            if isinstance(error, UnknownSigner):
                self._doubt_signer()
            return False
        return any(isinstance(event, Alive) for event in self._apply(message))

    def _doubt_signer(self) -> None:
        with self._board.changed:
            now = self._clock()
            if now - self._unknown_at >= UNKNOWN_SIGNER_PAUSE_S:
                self._unknown_at = now
                self._take(Doubt())

    # The state, whoever changes it.

    def _apply(self, incoming: Incoming) -> list[Event]:
        """Take it, and let the application judge what came of it."""
        with self._board.changed:
            events = self._take(incoming)
        if self._board.judge():
            with self._board.changed:
                self._schedule.moved(self._clock())
                self._alarm.no_later_than(self._next_at())
        return events

    def _take(self, incoming: Incoming) -> list[Event]:
        """With `changed` held."""
        self._state, events = apply(self._state, incoming)
        if not events and isinstance(incoming, Part):
            return events  # it waits for its header: nobody is woken for it
        for event in events:
            if isinstance(event, Swapped):
                self._on_swapped(event)
            else:
                self._on_alive(event)
        self._schedule.doubted(self._state.dirty, self._clock())
        self._tell()
        return events

    def _on_swapped(self, swapped: Swapped) -> None:
        table, previous = swapped.table, swapped.previous
        if swapped.reset or table.revision < previous.revision:
            log.warning(
                "the history of %s was replaced: revision %d (%s) follows revision %d (%s)",
                *(self._settings.env, table.revision, table.cursor, previous.revision, previous.cursor),
            )
        if table.cursor != previous.cursor:
            self._schedule.moved(self._clock())
        if self._state.complete:
            self._standing.current()
        self._board.offer(table, swapped.names)

    def _on_alive(self, alive: Alive) -> None:
        self._standing.heard()
        self._schedule.heard(self._clock())
        if alive.current:
            self._standing.current()

    # The thread.

    def _run(self, life: object) -> None:
        try:
            while self._life is life and self._step(life):
                pass
            if self._life is life and self._save_at() < math.inf:
                self._save()
            if self._life is life:
                self._take_leave()
        finally:
            if self._life is life:
                self._api.close()

    def _take_leave(self) -> None:
        """Say that this instance ends, where the service knows of it: nobody is to wait for it any more."""
        with self._board.changed:
            if not self._reported or self._standing.sync_fault is not None:
                return
            request = self._request(self._state.asks(), 0)
        request["client"]["leaving"] = True
        try:
            self._api.take_leave(request)
        except SyncFailed as error:
            log.debug("%s: took no leave: %s", self._settings.env, error)

    def _save_at(self) -> float:
        if self._cache is None or not self._board.loaded:
            return math.inf
        return self._cache.save_at(self._board.table)

    def _save(self) -> None:
        assert self._cache is not None
        self._cache.save(self._board.table, self._clock())

    def _step(self, life: object) -> bool:
        """One round: call a listener, save, then wait or sync. False when closed, or a listener outlived `life`."""
        self._board.deliver()
        if self._save_at() <= self._clock():
            self._save()
        with self._board.changed:
            if self.closed or self._life is not life:
                return False
            now = self._clock()
            if self._schedule.fell_silent(now):
                self._standing.unheard("push: no heartbeat")
                self._take(Doubt())
            if self._board.has_calls:
                return True
            if self._schedule.sync_at() > now:
                self._alarm.sleep(now, self._next_at())
                return True
            asked = self._state.asks()
            hold_s = self._schedule.hold_s(self._state.dirty)
            request = self._request(asked, hold_s)
            self._schedule.started(now, self._state.dirty)
        self._sync(request, asked, hold_s)
        return True

    def _next_at(self) -> float:
        """When the thread has something to do. With `changed` held."""
        if self.closed or self._board.has_calls:
            return -math.inf
        return min(self._schedule.wake_at(), self._save_at())

    def _sync(self, request: dict[str, Any], asked: Asked, hold_s: int) -> None:
        try:
            answer = read_answer(self._api.post(request, hold_s), asked, self._settings.namespaces)
        except SyncFailed as error:
            self._on_failed(error)
        except Malformed as error:
            self._on_failed(SyncFailed(f"{self._settings.url}: {error}", status=200))
        else:
            self._on_answer(answer)

    def _on_answer(self, answer: Answer) -> None:
        self._follow(answer.push)
        with self._board.changed:
            self._standing.synced()
            self._reported = True
            self._schedule.answered(
                self._clock(),
                news=answer.cursor != answer.asked.have,
                next_sync_s=answer.next_sync_s,
                report_within_s=answer.report_within_s,
            )
        self._apply(answer)

    def _on_failed(self, error: SyncFailed) -> None:
        with self._board.changed:
            if self.closed or self._life is None:
                return
            self._standing.sync_fault = str(error)
            # Any answer that is neither a state nor a server's own trouble: asking again soon is no use.
            refused = error.status is not None and error.status < 500
            self._schedule.failed(self._clock(), refused=refused, retry_after_s=error.retry_after_s)
            if error.denied and not self._board.loaded:
                self.denied = str(error)
            self._tell()
            self._board.changed.notify_all()

    def _follow(self, offer: PushOffer | None) -> None:
        if not self._settings.push:
            return
        with self._board.changed:
            self._keys = offer.keys if offer else {}
            url = offer.url if offer else None
            if url != self._listener.url:
                self._standing.unheard(None)
                if url is None:
                    self._schedule.lost(self._clock())
                else:
                    self._schedule.expect_push(self._clock())
                self._listener.follow(url)

    # What others are told.

    def status(self) -> Status:
        """How things stand now."""
        with self._board.changed:
            return self._standing.status()

    def _tell(self) -> None:
        """Say how things stand, and wake whoever waits for that. With `changed` held."""
        self._standing.tell()
        self._board.changed.notify_all()
        self._alarm.no_later_than(self._next_at())

    def _request(self, asked: Asked, hold_s: int) -> dict[str, Any]:
        client: dict[str, Any] = {
            "id": self._client_id,
            "service": self._settings.service,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "sdk": SDK,
            "transport": self._standing.transport,
        }
        if self._board.undecided and asked.have is not None:
            # What it has is not what it shows: nobody may take the one for the other.
            client["rejected"] = {"cursor": asked.have, "reason": UNDECIDED}
        elif self._board.rejection is not None:
            client["rejected"] = {"cursor": self._board.rejection.cursor, "reason": self._board.rejection.reason}
        return {
            "client": client,
            "env": self._settings.env,
            "namespaces": self._settings.namespaces,
            "have": asked.have,
            "view": asked.view,
            "wait_s": hold_s,
        }
