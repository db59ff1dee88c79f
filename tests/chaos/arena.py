"""Where faults happen: writers and watching clients on a running stack, everything they did and saw logged.

    with Arena(stack, tmp_path) as arena:
        with arena.fault("Valkey is down", masked=True):
            stack.part("valkey").kill(restart=False)
            arena.until_seen()
            stack.part("valkey").start()
        arena.finish()                       # waits for the end state, then lets tests/chaos/history.py judge

Nothing here waits without a deadline.
"""

import secrets
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self

from configsvc.dev.part import Part
from tests.chaos.client import WatchingClient
from tests.chaos.history import BACK_WITHIN_S, judge
from tests.chaos.runs import Fault, Restore, Run, View, Write
from tests.chaos.writers import ENV, KEYS, Service, Writers

#: For anything that is waited for: more than any promise, so that the judge can say what was too late, and by how much.
DEADLINE_S = 25.0
#: Clients report what they have applied within 2 s.
_REPORTED_AFTER_S = 2.5
#: Two that Redis serves and one that only polls.
CLIENTS: Mapping[str, Mapping[str, Any]] = {"pushed-1": {}, "pushed-2": {}, "polling": {"push": False}}


class Running(Protocol):
    """What is broken: a `Stack`, or a `Fleet` of several configsvc."""

    url: str
    tokens: dict[str, str]

    def part(self, name: str) -> Part:
        """One part, to look at, stop, kill or freeze."""


class Arena:
    """See the module.

    Args:
        stack: a running stack; a test that breaks a part mends it again.
        folder: for the clients' logs.
        clients: options of each `ConfigClient`, by name, on top of the usual ones.
        environ: more environment variables for the clients' processes.
    """

    def __init__(
        self,
        stack: Running,
        folder: Path,
        clients: Mapping[str, Mapping[str, Any]] = CLIENTS,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.stack = stack
        self._folder = folder
        self._options = clients
        self._environ = environ
        self._changed = threading.Condition()
        mark = secrets.token_hex(4)
        self.namespaces = (f"a-{mark}", f"b-{mark}")
        self.service = Service(stack.url, stack.tokens["admin"])
        self.writers = Writers(self.service, self.namespaces, self._changed)
        self.clients: dict[str, WatchingClient] = {}
        self._faults: list[Fault] = []
        self._restores: list[Restore] = []

    def __enter__(self) -> Self:
        for namespace in self.namespaces:
            self.service.ask("POST", "/v1/namespaces", {"name": namespace, "description": "of one test"})
            for key in KEYS:
                self.service.ask("POST", f"/v1/namespaces/{namespace}/keys", {"key": key, "type": "int"})
        self._base = self.look().cursor
        try:
            for name in self._options:
                self.clients[name] = self._new_client(name)
            self.writers.start()
            self.until(lambda: all(client.is_well for client in self.clients.values()), "all clients are well")
            self.until_seen()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _new_client(self, name: str) -> WatchingClient:
        token = self.stack.tokens["service"]
        usual = {"service": name, "env": ENV, "namespaces": self.namespaces, "url": self.stack.url, "token": token}
        options = {**usual, **self._options[name]}
        return WatchingClient(options, self._folder / f"{name}.log", self._changed, self._environ)

    def _close(self) -> None:
        self.writers.stop()
        for client in self.clients.values():
            client.close()

    # What happens.

    @contextmanager
    def fault(self, name: str, *, masked: bool = False, who: Collection[str] | None = None) -> Iterator[None]:
        """What is done inside is a fault, over when the block ends.

        ``masked``: clients have to follow all the same. ``who``: only these clients are excused.
        """
        began_at = time.monotonic()
        yield
        excused = None if who is None else frozenset(who)
        self._faults.append(Fault(name, began_at, time.monotonic(), masked, excused))

    def last_for(self, duration_s: float) -> None:
        """Let a fault last, while the writers go on."""
        threading.Event().wait(duration_s)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Inside, no write is on its way."""
        with self.writers.paused():
            self.until(lambda: self.writers.under_way == 0, "no write is on its way")
            yield

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Inside, no write is on its way, and no client has a sync to do, which could bring news by chance."""
        with self.quiet():
            self.last_for(_REPORTED_AFTER_S)
            yield

    def restored(self, to: str) -> None:
        """Log that the database is now, while it is quiet, what it was at this cursor."""
        self._restores.append(Restore(time.monotonic(), to))

    def write(self, value: int) -> Write:
        """Commit one release of the test's own, asked for until it is answered."""
        return self.writers.commit({(namespace, "test"): value for namespace in self.namespaces})

    # Waiting.

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Return when the condition holds; it is looked at whenever a write or a view was logged, and in between."""
        assert self._holds_within(DEADLINE_S, condition), f"not in time: {what}\n{self._describe()}"

    def until_written(self, number: int = 5) -> None:
        """Return when this many further writes were answered."""
        wanted = self.writers.answered + number
        self.until(lambda: self.writers.answered >= wanted, f"{number} more writes are answered")

    def until_seen(self, *names: str) -> None:
        """Return when each client (or each of these) shows something that was asked for after this call."""
        since = time.monotonic()
        clients = [self.clients[name] for name in names or self.clients]

        def all_have() -> bool:
            news = [w.cursor for w in self.writers.log if w.asked_at > since and w.cursor is not None]
            return all(any(client.has_shown(cursor) for cursor in news) for client in clients)

        self.until(all_have, "all clients show a new release")

    def until_pushed(self) -> None:
        """Return when all clients that listen to Redis hear it."""
        listening = [self.clients[name] for name, options in self._options.items() if options.get("push", True)]
        self.until(lambda: all(client.transport == "redis" for client in listening), "push is heard")

    def _holds_within(self, timeout_s: float, condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                if time.monotonic() > deadline:
                    return False
                self._changed.wait(0.05)
        return True

    # The end.

    def finish(self) -> Run:
        """Stop writing, wait until all clients show the end state or have had their time, and have the run judged."""
        self.writers.stop()
        truth = self.look()
        self._holds_within(2 * BACK_WITHIN_S, lambda: all(c.has_shown(truth.cursor) for c in self.clients.values()))
        views = {name: tuple(client.views) for name, client in self.clients.items()}
        # What the service itself says at the end is judged like a client that comes then.
        views["the service"] = (truth,)
        run = Run(self._base, self.writers.log, views, self._faults, self._restores)
        problems = [*self.service.broken, *judge(run)]
        assert not problems, "\n".join([*problems[:20], self._describe()])
        return run

    def look(self) -> View:
        """What the service says now, read like a client that has just begun."""
        who = {"id": str(uuid.uuid4()), "service": "arena", "host": "test", "pid": 1, "sdk": "t", "transport": "none"}
        asked = {"client": who, "env": ENV, "namespaces": self.namespaces, "have": None, "view": None, "wait_s": 0}
        answer = self.service.ask("POST", "/v1/sync", asked)
        values = {
            (namespace, key): entry["value"]
            for namespace, entries in answer["values"].items()
            for key, entry in entries.items()
        }
        return View(time.monotonic(), answer["cursor"], values)

    def _describe(self) -> str:
        unanswered = sum(write.cursor is None for write in self.writers.log)
        lines = [f"{len(self.writers.log)} writes, {unanswered} unanswered; faults: {self._faults}"]
        return "\n".join(lines + [f"{name}: {client.describe()}" for name, client in self.clients.items()])
