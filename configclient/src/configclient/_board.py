"""What the application sees: the shown table, live handles, and listeners. And the gate before it, `accept`.

The state (`_state`) is what is true; the board is what is shown. They differ only while `accept` refuses: then the
cursor moves on, deltas keep landing on the true state, and the board keeps its last good table.

Three kinds of moments, and what is locked in each:

| moment | thread | lock |
| --- | --- | --- |
| `offer`: a new table is true; without `accept` it is shown at once | whoever applied it | `changed` is held |
| `judge`: `accept` runs | whoever applied it | none; one at a time, the newest candidate waits and replaces older |
| `deliver`: a listener runs | the refresher | none |
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn
from weakref import WeakSet

from ._getters import Rules, Snapshot
from ._table import ABSENT, EMPTY, MISSING, NEVER_PICKLED, Entry, Name, Table

log = logging.getLogger("configclient")

QUEUE_MAX: Final = 10_000  # changes that listeners have not seen yet; beyond it, changes of one key become one
REASON_CHARS_MAX: Final = 300
HIDDEN_CHARS_MIN: Final = 4  # a shorter secret, such as `1`, is in any text


@dataclass(frozen=True, slots=True)
class Change:
    """A release that the client now shows gave this key a new version.

    `old` and `new` are values, None where the key is missing. They stay out of `repr`, since they may be secret:
    `secret` says whether one of them is. Such a change can't be pickled.
    """

    namespace: str
    key: str
    old: Any = field(repr=False)
    new: Any = field(repr=False)
    revision: int
    secret: bool = False

    def __reduce__(self) -> tuple[type["Change"], tuple[Any, ...]]:
        if self.secret:
            raise TypeError(NEVER_PICKLED)
        return Change, (self.namespace, self.key, self.old, self.new, self.revision)


class Live:
    """A handle on one key. `value` is a plain attribute: always the newest shown, pinned or not. Only read it."""

    __slots__ = ("__weakref__", "default", "key", "namespace", "value")

    def __init__(self, namespace: str, key: str, default: Any) -> None:
        self.namespace = namespace
        self.key = key
        self.default = default
        self.value: Any = default

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    def __repr__(self) -> str:
        return f"<Live {self.namespace}/{self.key}>"


class Listener:
    """What `on_change` gives. `cancel` ends the calls."""

    __slots__ = ("_board", "fn", "key", "namespace")

    def __init__(self, board: "Board", fn: Callable[[Change], object], namespace: str | None, key: str | None) -> None:
        self._board = board
        self.fn = fn
        self.namespace = namespace
        self.key = key

    def cancel(self) -> None:
        """No call begins after this returns; one that is running runs to its end. Cancelling twice is fine."""
        self._board.remove(self)


@dataclass(frozen=True, slots=True)
class Rejection:
    """The application refused the table at this cursor."""

    cursor: str | None
    reason: str


class Board:
    """See the module. Methods that say so are called with `changed` held."""

    def __init__(
        self, rules: Rules, accept: Callable[[Snapshot], object] | None, publish: Callable[[Table], None]
    ) -> None:
        self.table: Table = EMPTY
        self.loaded = False
        self.rejection: Rejection | None = None
        self._rules = rules
        self._accept = accept
        self._publish = publish
        self._touched: set[Name] = set()
        self._live: dict[Name, WeakSet[Live]] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._queue: deque[tuple[tuple[Listener, ...], Change]] = deque()
        self._candidate: Table | None = None
        self._wakers: set[Callable[[], object]] = set()
        self.renew_locks()

    def renew_locks(self) -> None:
        """Also in the child of a fork, where another thread may hold the old ones for ever."""
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self._judging = False
        self._wakers.clear()  # the parent's loops

    # Who waits.

    @contextmanager
    def waking(self, waker: Callable[[], object]) -> Iterator[None]:
        """Within the block `waker` is called, quickly and with `changed` held, when something is shown or closed."""
        with self.changed:
            self._wakers.add(waker)
        try:
            yield
        finally:
            with self.changed:
                self._wakers.discard(waker)

    def wake(self) -> None:
        """Whoever waits should look again. With `changed` held."""
        self.changed.notify_all()
        for waker in self._wakers:
            waker()

    # What is shown.

    def offer(self, table: Table, names: frozenset[Name]) -> None:
        """A new true table; `names` may differ from the one offered before. With `changed` held."""
        self._touched |= names
        # Without a difference there is nothing to accept, only a revision to move.
        if self._accept is None or (self.loaded and not self._touched):
            self._show(table)
        else:
            self._candidate = table

    @property
    def undecided(self) -> bool:
        """Whether `accept` has not said yet what it thinks of the newest table. With `changed` held."""
        return self._judging or self._candidate is not None

    def judge(self) -> bool:
        """Let `accept` look at what waits for it, if anything does, and tell whether it did. With nothing held."""
        if self._accept is None:
            return False
        judged = False
        while (candidate := self._take_candidate()) is not None:
            judged = True
            rejection = self._ask(candidate)
            with self.changed:
                self._judging = False
                self.rejection = rejection
                if rejection is None:
                    self._show(candidate)
                self.changed.notify_all()
        return judged

    def _take_candidate(self) -> Table | None:
        with self.changed:
            if self._judging or self._candidate is None:
                return None
            candidate, self._candidate = self._candidate, None
            self._judging = True
            return candidate

    def _ask(self, candidate: Table) -> Rejection | None:
        assert self._accept is not None
        try:
            self._accept(Snapshot(candidate, self._rules))
        except Exception as error:  # noqa: BLE001 - the application's code; whatever it raises means no
            reason = _without_secrets(f"{type(error).__name__}: {error}", candidate)[:REASON_CHARS_MAX]
            log.warning("revision %d was rejected: %s", candidate.revision, reason)
            return Rejection(candidate.cursor, reason)
        return None

    def _show(self, table: Table) -> None:
        before, self.table, self.loaded = self.table, table, True
        self._publish(table)
        touched, self._touched = self._touched, set()
        for name in self._live.keys() & touched:
            for handle in self._live[name]:
                _refresh(handle, table)
        if self._listeners:
            for name in sorted(touched):
                self._enqueue(name, before.entries.get(name), table.entries.get(name), table.revision)
        self.wake()

    # Live handles.

    def live(self, namespace: str, key: str, default: Any) -> Live:
        """A handle that follows from now on, for as long as somebody keeps it."""
        handle = Live(namespace, key, default)
        with self.changed:
            self._live.setdefault((namespace, key), WeakSet()).add(handle)
            _refresh(handle, self.table)
        return handle

    # Listeners.

    def add(self, fn: Callable[[Change], object], namespace: str | None, key: str | None) -> Listener:
        """Call `fn` for every matching change that is shown from now on."""
        listener = Listener(self, fn, namespace, key)
        with self.changed:
            self._listeners = (*self._listeners, listener)
        return listener

    def remove(self, listener: Listener) -> None:
        """Not any more."""
        with self.changed:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

    @property
    def has_calls(self) -> bool:
        """Whether `deliver` would find something."""
        return bool(self._queue)

    def deliver(self) -> None:
        """Call the listeners of the oldest change, if there is one. With nothing held."""
        if not self._queue:  # spares whoever has nothing to call the lock, at each turn
            return
        with self.changed:
            if not self._queue:
                return
            listeners, change = self._queue.popleft()
        for listener in listeners:
            if listener in self._listeners and _wants(listener, change):
                _call(listener, change)

    def forget_calls(self) -> None:
        """What was queued is of no interest any more: closed, or another process."""
        with self.changed:
            self._queue.clear()

    def _enqueue(self, name: Name, old: Entry | None, new: Entry | None, revision: int) -> None:
        if old == new:
            return
        secret = any(entry is not None and entry.secret for entry in (old, new))
        self._queue.append((self._listeners, Change(*name, _value(old), _value(new), revision, secret)))
        if len(self._queue) > QUEUE_MAX:
            self._squeeze()

    def _squeeze(self) -> None:
        """Listeners are too slow: make one change of all those of a key, from the oldest old to the newest new."""
        merged: dict[Name, tuple[tuple[Listener, ...], Change]] = {}
        for listeners, change in self._queue:
            name = (change.namespace, change.key)
            first = merged.pop(name)[1] if name in merged else change
            secret = first.secret or change.secret
            merged[name] = listeners, Change(*name, first.old, change.new, change.revision, secret)
        log.warning("listeners are %d changes behind: changes of the same key are delivered as one", len(self._queue))
        self._queue = deque(merged.values())


def _without_secrets(text: str, table: Table) -> str:
    """What the application says goes to logs, and to the service. Libraries that validate quote what they refuse."""
    for entry in table.entries.values():
        if entry.secret and entry.value is not MISSING:
            for shown in (str(entry.value), repr(entry.value)[1:-1]):
                if len(shown) >= HIDDEN_CHARS_MIN:
                    text = text.replace(shown, "(secret)")
    return text


def _value(entry: Entry | None) -> Any:
    return None if entry is None or entry.value is MISSING else entry.value


def _refresh(handle: Live, table: Table) -> None:
    value = table.entries.get((handle.namespace, handle.key), ABSENT).value
    handle.value = handle.default if value is MISSING else value


def _wants(listener: Listener, change: Change) -> bool:
    return listener.namespace in (None, change.namespace) and listener.key in (None, change.key)


def _call(listener: Listener, change: Change) -> None:
    try:
        listener.fn(change)
    except Exception:
        log.exception("a listener failed on %s/%s", change.namespace, change.key)
