"""Thousands who follow scopes, each on a connection of its own.

Those of one token who are at one cursor of a scope wait as one: one look-up, one text and one check of the rights are
for all of them, and each costs no more than its connection and the sending. They come from different cursors, and are
together after the next release.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from configsvc.domain.sse import HEARTBEAT, HEARTBEAT_S, end
from configsvc.errors import RateLimited, RequestError
from configsvc.service.access import Authenticate, Caller
from configsvc.service.holds import Holds
from configsvc.service.sync import Render, Sync

log = logging.getLogger(__name__)

#: Sending to so many takes about a millisecond; then others whom the worker serves have their turn.
_AT_A_TIME = 100
_LOOK_ROUND_S = 0.0005


class Sink(Protocol):
    """Where a follower's events go. Never waits."""

    def send(self, data: bytes) -> bool:
        """Send. False: nobody is there any more, and this is closed."""
        ...

    def close(self) -> None:
        """Say that this was all. Again is fine."""
        ...


class Place(NamedTuple):
    """Where followers stand, and by which token."""

    token_id: str
    namespace: str
    env: str
    cursor: str


class Follower:
    """One connection. ``over``: called once, when nothing more will be sent."""

    __slots__ = ("deadline", "over", "sink")

    def __init__(self, sink: Sink, deadline: float, over: Callable[[], None]) -> None:
        """``deadline``: of the monotonic clock."""
        self.sink, self.deadline, self.over = sink, deadline, over


class _Group:
    """Followers of one place. ``looks_at``: when it turns to them at the latest."""

    def __init__(self, authenticate: Authenticate, followers: list[Follower]) -> None:
        self.authenticate, self.followers = authenticate, followers
        self.spoke_at = time.monotonic()
        self.looks_at = self.spoke_at


class Followers:
    """All followers of one worker."""

    def __init__(self, sync: Sync, holds: Holds, render: Render) -> None:
        """``render``: makes events; what says nothing is ``HEARTBEAT``."""
        self._sync = sync
        self._holds = holds
        self._render = render
        self._lock = threading.Lock()
        self._waiting: dict[Place, _Group] = {}
        #: All there are, and who holds each.
        self._all: dict[Follower, str] = {}

    def join(self, caller: Caller, authenticate: Authenticate, place: Place, follower: Follower) -> None:
        """Send what happens after a place, up to which the follower knows all; returns at once."""
        try:
            self._holds.take(caller.name)
        except RateLimited as error:
            follower.sink.send(end(error).encode())
            follower.sink.close()
            follower.over()
            return
        self._all[follower] = caller.name
        group = _Group(authenticate, [follower])
        if not self._stand(group, place):
            threading.Thread(target=self._follow, args=(group, place), name="configsvc-follow", daemon=True).start()

    def end(self) -> None:
        """End all: this process ends."""
        for follower in tuple(self._all):
            self._finish(follower)

    def _follow(self, group: _Group, place: Place) -> None:
        try:
            place = self._step(group, place)
            # Whoever joins does so while they wait: in between they are nobody's but this thread's.
            while self._keep(group) and not self._stand(group, place):
                place = self._step(group, place)
        except RequestError as error:
            self._send(group, end(error).encode())
        except Exception:
            log.exception("the followers of %s in %s are sent away, and come back", place.namespace, place.env)
        for follower in group.followers:
            self._finish(follower)

    def _keep(self, group: _Group) -> bool:
        """Part with those whose time is over; tell whether there are others."""
        kept = []
        for follower in group.followers:
            if self._holds.left_s(follower.deadline) > 0:
                kept.append(follower)
            else:
                self._finish(follower)
        group.followers = kept
        return bool(kept)

    def _stand(self, group: _Group, place: Place) -> bool:
        """Have a group wait at a place. True if its followers are now those of another one, which waits there."""
        deadline = min(follower.deadline for follower in group.followers)
        with self._lock:
            there = self._waiting.setdefault(place, group)
            if there is not group and there.looks_at <= deadline:
                there.followers += group.followers
                group.followers = []
                return True
            group.looks_at = min(deadline, group.spoke_at + HEARTBEAT_S)
        return False

    def _step(self, group: _Group, place: Place) -> Place:
        """Wait for what comes next, and send it; return where they stand then."""
        wait_s = group.looks_at - time.monotonic()
        try:
            cursor, text = self._sync.follow(
                group.authenticate, place.namespace, place.env, place.cursor, wait_s, self._render
            )
        finally:
            with self._lock:  # whoever comes now has to wait for itself
                if self._waiting.get(place) is group:
                    del self._waiting[place]
        # Most releases of an environment are of other namespaces.
        if text != HEARTBEAT or time.monotonic() >= group.spoke_at + HEARTBEAT_S:
            self._send(group, text.encode())
        return place._replace(cursor=cursor)

    def _send(self, group: _Group, data: bytes) -> None:
        group.spoke_at = time.monotonic()
        everybody, group.followers = group.followers, []
        for first in range(0, len(everybody), _AT_A_TIME):
            if first:
                time.sleep(_LOOK_ROUND_S)
            for follower in everybody[first : first + _AT_A_TIME]:
                if follower.sink.send(data):
                    group.followers.append(follower)
                else:
                    self._finish(follower)

    def _finish(self, follower: Follower) -> None:
        name = self._all.pop(follower, None)
        if name is not None:
            self._holds.give_back(name)
            follower.sink.close()
            follower.over()
