"""What becomes of clients when something happens to their process.

| the process | its clients |
| --- | --- |
| forks (gunicorn's preload, multiprocessing) | each restarts in the child |
| is patched by gevent | each pauses meanwhile: no thread and no lock of before is used after |
| ends by itself | each is closed, so that the service waits for it no more |

Just before a fork every client is held still, so that none is half changed in the child. Locks are taken in one fixed
order, and nobody else ever holds two, so this cannot deadlock.
"""

import atexit
import os
import threading
import time
from typing import Final, Protocol
from weakref import WeakSet

from ._gevent import on_patches

EXIT_TIMEOUT_S: Final = 0.5  # for all clients together: whoever restarts a service waits for it


class Resident(Protocol):
    """What lives in a process, and through what happens to it."""

    def hold_still(self) -> None:
        """Take the lock: nothing changes until `go_on`."""

    def go_on(self) -> None:
        """Let go of it. In the parent, on the same thread."""

    def restart_in_child(self) -> None:
        """New locks, new threads, new sockets: nothing of the parent's but the values."""

    def pause(self) -> None:
        """End the threads, and return when they have ended."""

    def resume(self) -> None:
        """Go on after `pause`, with new locks, threads and sockets."""

    def stop(self, timeout_s: float) -> None:
        """End for good. Again is fine."""


_all: WeakSet[Resident] = WeakSet()
_held = threading.local()  # which ones this thread's fork holds still


def register(resident: Resident) -> None:
    """From now on, for as long as it lives."""
    _all.add(resident)
    _mind_gevent()


def _mind_gevent() -> None:
    on_patches(before=_pause, after=_resume)


def _pause() -> None:
    for resident in _all:
        resident.pause()


def _resume() -> None:
    for resident in _all:
        resident.resume()


def _before() -> None:
    _held.now = sorted(_all, key=id)
    for resident in _held.now:
        resident.hold_still()


def _after_in_parent() -> None:
    for resident in _held.now:
        resident.go_on()


def _after_in_child() -> None:
    _mind_gevent()  # it may have been imported since the clients were made
    for resident in _held.now:
        resident.restart_in_child()


def _at_exit() -> None:
    deadline = time.monotonic() + EXIT_TIMEOUT_S
    for resident in tuple(_all):
        resident.stop(max(0.0, deadline - time.monotonic()))


atexit.register(_at_exit)
os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
