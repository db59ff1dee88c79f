"""What happens to clients when the process forks (gunicorn's preload, multiprocessing): the child restarts each.

Just before the fork every client is held still, so that none is half changed in the child. Locks are taken in one fixed
order, and nobody else ever holds two, so this cannot deadlock.

When gevent patches the process, each client pauses meanwhile: no thread and no lock of before is used after.
"""

import os
import threading
from typing import Protocol
from weakref import WeakSet

from ._gevent import on_patches


class Forkable(Protocol):
    """What lives through a fork."""

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


_all: WeakSet[Forkable] = WeakSet()
_held = threading.local()  # which ones this thread's fork holds still


def register(forkable: Forkable) -> None:
    """From now on, for as long as it lives."""
    _all.add(forkable)
    _mind_gevent()


def _mind_gevent() -> None:
    on_patches(before=_pause, after=_resume)


def _pause() -> None:
    for forkable in _all:
        forkable.pause()


def _resume() -> None:
    for forkable in _all:
        forkable.resume()


def _before() -> None:
    _held.now = sorted(_all, key=id)
    for forkable in _held.now:
        forkable.hold_still()


def _after_in_parent() -> None:
    for forkable in _held.now:
        forkable.go_on()


def _after_in_child() -> None:
    _mind_gevent()  # it may have been imported since the clients were made
    for forkable in _held.now:
        forkable.restart_in_child()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
