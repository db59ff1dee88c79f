"""`ConfigClient`: what applications use. Wires the parts together, and owns what belongs to a process or a caller."""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol, Self

from ._asyncio import start_in_thread, wait_until
from ._board import Board, Change, Listener, Live
from ._getters import Getters, Rules, Snapshot
from ._process import Resident, register
from ._refresher import Refresher
from ._settings import read_settings
from ._status import Status
from ._table import EMPTY, MISSING, Table
from .errors import AccessDenied, ConfigRejected, ConfigUnavailable

CLOSE_TIMEOUT_S: Final = 2.0


class Source(Resident, Protocol):
    """What feeds the board, as the client sees it: the refresher, or a test's hand."""

    denied: str | None

    @property
    def following(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def start(self) -> None: ...
    def load_from_disk(self) -> None: ...
    def status(self) -> Status: ...


class _Pin:
    """One open `pinned()` block. Tasks started inside it inherit it, and see when it has ended."""

    __slots__ = ("client", "open", "outer", "snapshot")

    def __init__(self, client: "ConfigClient", snapshot: Snapshot, outer: "_Pin | None") -> None:
        self.client = client
        self.snapshot = snapshot
        self.outer = outer
        self.open = True


# One variable for all clients: a context never lets go of a variable it has seen.
_innermost_pin: ContextVar[_Pin | None] = ContextVar("configclient_pin", default=None)


class ConfigClient(Getters):
    """The settings of some namespaces of one environment, in memory and kept up to date in the background.

    Reads (`get`, `get_int`, …) never do I/O and take no lock. All keys of a release change together, over all
    namespaces. Constructing it loads everything, and raises if that takes longer than `start_timeout_s` and no cache is
    there; from then on the client keeps the last values whatever fails. Use one client per process; it follows a fork
    by itself. Close it, or use `with`, or `async with`.
    """

    __slots__ = ("__weakref__", "_board", "_pins", "_refresher")

    _refresher: Source

    def __init__(
        self,
        service: str,
        env: str,
        namespaces: Iterable[str],
        *,
        url: str | None = None,
        token: str | None = None,
        poll_interval_s: float = 10,
        start_timeout_s: float = 5,
        cache_dir: str | os.PathLike[str] | None = None,
        strict: bool = False,
        push: bool = True,
        ca_file: str | os.PathLike[str] | None = None,
        accept: Callable[[Snapshot], object] | None = None,
    ) -> None:
        """Load the settings, and begin to follow them.

        Args:
            service: the application's name, shown to operators.
            env: the environment, such as "production".
            namespaces: the namespaces to follow; the token needs a grant for each.
            url: the service's URL; otherwise CONFIGSVC_URL.
            token: the access token; otherwise CONFIGSVC_TOKEN.
            poll_interval_s: while push is down, a poll starts at least this often.
            start_timeout_s: how long the first load may take.
            cache_dir: a folder to keep the last values in, secrets excepted, for a start while the service is down.
            strict: typed getters raise instead of giving the default; see `Getters`.
            push: False to use long polls only, and never talk to Redis.
            ca_file: a PEM file of certificate authorities to trust for https and rediss.
            accept: called with each new snapshot before it is shown, on a background thread. If it raises, the client
                keeps the last good one, and says so in `status()` and to the service.

        Raises:
            InvalidSettings: something is missing or malformed.
            AccessDenied: the service answered 401, 403 or 404.
            ConfigUnavailable: no state within `start_timeout_s`, and no usable cache.
            ConfigRejected: `accept` refused the first snapshot.
        """
        settings = read_settings(
            *(service, env, namespaces),
            url=url,
            token=token,
            poll_interval_s=poll_interval_s,
            start_timeout_s=start_timeout_s,
            push=push,
            ca_file=ca_file,
            cache_dir=cache_dir,
        )
        self._wire(
            *(strict, accept, settings.start_timeout_s),
            lambda board: Refresher(settings, board, clock=time.monotonic, random=random.random),
        )

    def _wire(
        self,
        strict: bool,
        accept: Callable[[Snapshot], object] | None,
        start_timeout_s: float,
        source: Callable[[Board], Source],
    ) -> None:
        """Put the parts together, and begin. `configclient.testing` has a source of its own."""
        self._pins, self._has_pins = 0, False
        self._table = EMPTY
        self._rules = Rules(strict)
        self._board = Board(self._rules, accept, self._publish)
        self._refresher = source(self._board)
        register(self._refresher)
        self._refresher.start()
        try:
            self._wait_until_loaded(start_timeout_s)
        except BaseException:
            self.close()
            raise

    def snapshot(self) -> Snapshot:
        """All values at one revision, immutable. Inside `pinned()`, the pinned one."""
        return self._pinned() if self._has_pins else Snapshot(self._table, self._rules)

    @contextmanager
    def pinned(self, at: Snapshot | None = None) -> Iterator[Snapshot]:
        """While the block is open, this thread or task reads one revision throughout; gives that snapshot.

        Tasks that are started inside the block read it as well, until the block ends. Within a pinned block another
        `pinned()` gives the same snapshot. `live` handles are not pinned.

        Args:
            at: an earlier snapshot of this client, to go on with its revision on another thread. Otherwise the newest.

        Raises:
            ValueError: `at` is another client's.
        """
        if at is not None and at._rules is not self._rules:
            raise ValueError("a client can be pinned only at a snapshot of its own")
        pin = _Pin(self, at or self.snapshot(), _innermost_pin.get())
        with self._board.changed:
            self._pins += 1
            self._has_pins = True
        _innermost_pin.set(pin)
        try:
            yield pin.snapshot
        finally:
            pin.open = False
            _innermost_pin.set(pin.outer)
            with self._board.changed:
                self._pins -= 1
                self._has_pins = self._pins > 0

    def live(self, namespace: str, key: str, default: Any = MISSING) -> Live:
        """A handle whose `value` is a plain attribute: always the newest, or `default` (None) while it is missing.

        Two handles read one after the other may show two revisions; take a snapshot where that matters. Without a
        default it raises what `get` would raise now.
        """
        if default is MISSING:
            self.get(namespace, key)
            default = None
        return self._board.live(namespace, key, default)

    def on_change(
        self, fn: Callable[[Change], object], namespace: str | None = None, key: str | None = None
    ) -> Listener:
        """Call `fn` for every change of matching keys from now on, in order of revision. Returns a handle to cancel.

        All listeners run on one background thread, after the new values are readable. One that raises is logged. One
        that blocks delays the other listeners and the client's syncs, not the values that push brings. It may use the
        client.
        """
        return self._board.add(fn, namespace, key)

    def wait_for(self, revision: int, timeout: float) -> bool:
        """Wait until this client shows `revision` or a later one, at most `timeout` seconds. True if it does."""
        board = self._board
        with board.changed:
            board.changed.wait_for(lambda: board.table.revision >= revision or self._refresher.closed, timeout)
            return board.loaded and board.table.revision >= revision

    def status(self) -> Status:
        """Transport, state, revision, since, last_sync_at, staleness_s, last_error. Never raises, does no I/O."""
        return self._refresher.status()

    def close(self) -> None:
        """Stop following; the last values stay readable. Returns within CLOSE_TIMEOUT_S. Closing twice is fine."""
        self._refresher.stop(CLOSE_TIMEOUT_S)
        self._board.forget_calls()

    # For asyncio. Each does what its namesake does, and the event loop goes on meanwhile.

    @classmethod
    async def astart(cls, *args: Any, **options: Any) -> Self:
        """Make a client, with the same arguments, errors and timeouts as the constructor, without blocking the loop."""
        return await start_in_thread(lambda: cls(*args, **options))

    async def await_for(self, revision: int, timeout: float) -> bool:  # noqa: ASYNC109 - as `wait_for` has it
        """`wait_for` for tasks. It takes no thread, so that any number of tasks may wait."""
        board, refresher = self._board, self._refresher
        await wait_until(board, lambda: board.table.revision >= revision or refresher.closed, timeout)
        return self.wait_for(revision, 0)

    async def aclose(self) -> None:
        """`close` for tasks. It runs to its end even if the task is cancelled meanwhile."""
        import asyncio

        await asyncio.to_thread(self.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<ConfigClient {self._refresher.following} revision={self._table.revision}>"

    def _publish(self, table: Table) -> None:
        self._table = table

    def _pinned(self) -> Snapshot:
        pin = _innermost_pin.get()
        while pin is not None:
            if pin.client is self and pin.open:
                return pin.snapshot
            pin = pin.outer
        return Snapshot(self._table, self._rules)

    def _wait_until_loaded(self, timeout_s: float) -> None:
        board, refresher = self._board, self._refresher
        with board.changed:
            in_time = board.changed.wait_for(lambda: board.loaded or board.rejection or refresher.denied, timeout_s)
        if not in_time:
            refresher.load_from_disk()
        with board.changed:
            if board.loaded:
                return
            if board.rejection is not None:
                raise ConfigRejected(f"accept refused revision {board.rejection.cursor}: {board.rejection.reason}")
            if refresher.denied is not None:
                raise AccessDenied(refresher.denied)
        reason = refresher.status().last_error or "no answer yet"
        raise ConfigUnavailable(f"no settings within {timeout_s:g} s: {reason}")
