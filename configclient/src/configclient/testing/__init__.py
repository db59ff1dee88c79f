"""A client for tests: values and no server, changed by hand.

    >>> from configclient.testing import DELETED, FakeClient
    >>> client = FakeClient({"payments": {"rate_limit": 100, "greeting": "hello"}})
    >>> client.get_int("payments", "rate_limit")
    100

It is a `ConfigClient`, with all that one has; only the values come from you. `push` makes one release, over as many
namespaces as you like, and returns when it is shown and the listeners were called:

    >>> handle = client.on_change(lambda change: print(change.key, change.old, "to", change.new))
    >>> client.push({"payments": {"rate_limit": 200}, "global": {"on": True}})
    on None to True
    rate_limit 100 to 200
    2
    >>> client.push({"payments": {"greeting": DELETED}})
    greeting hello to None
    3
    >>> client.get_str("payments", "greeting", "hi")
    'hi'

A key's type is that of its first value, as if it had been declared so, and stays:

    >>> client.push({"payments": {"rate_limit": "many"}})
    Traceback (most recent call last):
    ...
    ValueError: payments/rate_limit is declared int: 'many' is none

How an application takes an outage:

    >>> client.set_state("offline", "no route to host")
    >>> client.status().state, client.get_int("payments", "rate_limit")
    ('offline', 200)

`configclient.testing.fixtures` has a pytest fixture.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from configclient._board import Board
from configclient._client import ConfigClient
from configclient._getters import Snapshot
from configclient._messages import read_value
from configclient._status import ClientState, Status, Transport
from configclient._table import EMPTY, Entry, Name, Table

__all__ = ["DELETED", "FakeClient"]


class Deleted(Enum):
    """The type of `DELETED`."""

    DELETED = "deleted"


DELETED: Final = Deleted.DELETED
"""In `push`, in place of a value: the key is deleted."""

Values = Mapping[str, Mapping[str, Any]]
"""Namespace → key → value, or DELETED."""

TYPES: Final[Mapping[type, str]] = {str: "string", bool: "bool", int: "int", float: "float"}
TRANSPORTS: Final[Mapping[ClientState, Transport]] = {"live": "redis", "rejected": "redis", "degraded": "longpoll"}


class FakeClient(ConfigClient):
    """A `ConfigClient` without a server, at revision 1 when it is made. `push` and `set_state` are its only additions.

    Listeners and `accept` run on the thread that pushes, and have run when `push` returns.
    """

    __slots__ = ("_hand",)

    def __init__(
        self,
        values: Values | None = None,
        *,
        env: str = "test",
        strict: bool = False,
        accept: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Start with these values: namespace → key → value.

        Raises:
            ValueError: a value is of no type that a setting can have.
            ConfigRejected: `accept` refused them.
        """

        def source(board: Board) -> _Hand:
            self._hand = _Hand(board, env, values or {})
            return self._hand

        self._wire(strict, accept, 0, source)

    def push(self, changes: Values) -> int:
        """One release: namespace → key → value or DELETED. Returns its revision. Raises ValueError."""
        return self._hand.push(changes)

    def set_state(self, state: ClientState, last_error: str | None = None) -> None:
        """What `status()` says from now on. Nothing else changes: values stay, and `push` still works."""
        self._hand.set_state(state, last_error)


class _Hand:
    """Feeds the board what a test says, in place of the refresher."""

    def __init__(self, board: Board, env: str, values: Values) -> None:
        self._board = board
        self._env = env
        self._first = values
        self._truth: Table = EMPTY
        self._types: dict[Name, str] = {}
        self._delivering = False
        self._state: ClientState = "live"
        self._error: str | None = None
        self._since = self._pushed_at = datetime.now(UTC)
        self._fresh_at = time.monotonic()
        self.closed = False
        self.denied: str | None = None
        self._turn = threading.RLock()

    @property
    def following(self) -> str:
        return f"{self._env} (by hand)"

    def start(self) -> None:
        self.push(self._first)

    def load_from_disk(self) -> None:
        """There is nothing on disk."""

    def stop(self, timeout_s: float) -> None:  # noqa: ARG002 - there is nothing to wait for
        with self._board.changed:
            self.closed = True
            self._board.wake()

    def push(self, changes: Values) -> int:
        with self._turn:
            read = {
                (namespace, key): self._entry((namespace, key), value)
                for namespace, scope in changes.items()
                for key, value in scope.items()
            }
            self._types |= {name: entry.type for name, entry in read.items() if entry is not None}
            revision = self._truth.revision + 1
            self._truth = self._truth.overlay(revision, f"{revision}.{revision:016x}", read)
            self._pushed_at, self._fresh_at = datetime.now(UTC), time.monotonic()
            with self._board.changed:
                self._board.offer(self._truth, frozenset(read))
            # In a context of their own: a pin of the pushing test is no business of theirs.
            Context().run(self._board.judge)
            Context().run(self._deliver)
        return revision

    def _entry(self, name: Name, value: Any) -> Entry | None:
        if value is DELETED:
            return None
        declared = self._types.get(name) or TYPES.get(type(value), "json")
        try:
            # Through JSON, as a real one would come: what a setting can't hold shows in the test.
            plain = json.loads(json.dumps(float(value) if declared == "float" else value, allow_nan=False))
            return Entry(declared, read_value(declared, plain), self._truth.revision + 1)
        except (TypeError, ValueError):
            raise ValueError(f"{'/'.join(name)} is declared {declared}: {value!r:.60} is none") from None

    def _deliver(self) -> None:
        # A listener may push: that change is told after the present one, as the real client does.
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._board.has_calls and not self.closed:
                self._board.deliver()
        finally:
            self._delivering = False

    def set_state(self, state: ClientState, last_error: str | None) -> None:
        with self._board.changed:
            self._state, self._error, self._since = state, last_error, datetime.now(UTC)
            self._board.changed.notify_all()

    def status(self) -> Status:
        with self._board.changed:
            rejection = self._board.rejection
            state: ClientState = "closed" if self.closed else "rejected" if rejection else self._state
            return Status(
                transport=TRANSPORTS.get(state, "none"),
                state=state,
                revision=self._board.table.revision,
                since=self._since,
                last_sync_at=self._pushed_at,
                staleness_s=0.0 if state in TRANSPORTS else time.monotonic() - self._fresh_at,
                last_error=rejection.reason if rejection else self._error,
            )

    def hold_still(self) -> None:
        self._turn.acquire()
        self._board.changed.acquire()

    def go_on(self) -> None:
        self._board.changed.release()
        self._turn.release()

    def restart_in_child(self) -> None:
        self.resume()

    def pause(self) -> None:
        """Nothing runs here by itself."""

    def resume(self) -> None:
        self._turn = threading.RLock()
        self._board.renew_locks()
