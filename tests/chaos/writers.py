"""Who changes settings during a fault, and the log of every write.

Each release sets one key in each of two namespaces to the same number, an invariant that any mixture breaks. The
stubborn writer repeats a request with its Idempotency-Key until it is answered; the hasty one takes no answer for an
answer and goes on.
"""

import http.client
import itertools
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.chaos.runs import Name, Write

ENV = "staging"
KEYS = ("pair", "stubborn", "hasty", "test")
#: Between two releases of one writer.
PACE_S = 0.1
#: Between two attempts of one write, and for how long there are some.
_RETRY_S = 0.2
_RETRY_FOR_S = 90.0
#: More than the service takes for any answer: a statement is given up after 10 s.
_REQUEST_TIMEOUT_S = 13.0


class NotAnswered(Exception):
    """The request may have been done, or not."""


@dataclass
class Service:
    """The service over HTTP, as an administrator. Every 5xx but 503 is a bug, kept in ``broken``."""

    url: str
    token: str = field(repr=False)
    broken: list[str] = field(default_factory=list)
    #: How long each 503 took, in seconds.
    refusals_s: list[float] = field(default_factory=list)
    #: How many answers were those of an earlier attempt.
    replays: int = 0
    #: What was waited for in vain, until our own timeout.
    silences: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: object, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises:
            NotAnswered: no answer, or 503.
        """
        began_at = time.monotonic()
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=_REQUEST_TIMEOUT_S)
        own = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body), {**own, **(headers or {})})
            response = connection.getresponse()
            status, content = response.status, response.read()
            self.replays += response.headers["Idempotent-Replayed"] == "true"
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, TimeoutError):
                self.silences.append(f"{method} {path}")
            raise NotAnswered(str(error)) from error
        finally:
            connection.close()
        if status == 503:
            self.refusals_s.append(time.monotonic() - began_at)
            raise NotAnswered("503")
        if status >= 500:
            self.broken.append(f"{method} {path} was answered with {status}: {content[:200]!r}")
            raise NotAnswered(str(status))
        assert status < 300, f"{method} {path}: {status} {content!r}"
        answer: dict[str, Any] = json.loads(content)
        return answer


class Writers:
    """Two threads that write until ``stop``. ``changed`` is notified whenever a write is logged."""

    def __init__(self, service: Service, namespaces: tuple[str, str], changed: threading.Condition) -> None:
        self._service = service
        self._namespaces = namespaces
        self._changed = changed
        self.log: list[Write] = []
        self._numbers = itertools.count(1)
        self._over = threading.Event()
        self._paused = False
        self.under_way = 0
        self._threads = [
            threading.Thread(target=self._write_on, args=("stubborn",)),
            threading.Thread(target=self._write_on, args=("hasty",)),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish the writes that are under way. Twice is fine."""
        self._over.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, no new write begins; ``under_way`` counts those that did before."""
        self._paused = True
        yield
        self._paused = False

    @property
    def answered(self) -> int:
        """How many writes were answered."""
        return sum(write.cursor is not None for write in self.log)

    def commit(self, changes: Mapping[Name, int], *, stubborn: bool = True) -> Write:
        """Commit one release; returns what was logged."""
        body = {"changes": [{"namespace": ns, "key": key, "value": value} for (ns, key), value in changes.items()]}
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        write = Write(dict(changes), time.monotonic())
        with self._changed:
            position = len(self.log)
            self.log.append(write)
        while write.cursor is None and time.monotonic() < write.asked_at + _RETRY_FOR_S:
            try:
                answer = self._service.ask("POST", f"/v1/envs/{ENV}/releases", body, headers)
                write = replace(write, answered_at=time.monotonic(), cursor=answer["cursor"])
            except NotAnswered:
                if not stubborn:
                    break
                self._over.wait(_RETRY_S)
        with self._changed:
            self.log[position] = write
            self._changed.notify_all()
        return write

    def _write_on(self, name: str) -> None:
        first, second = self._namespaces
        while not self._over.wait(PACE_S):
            with self._changed:
                if self._paused:
                    continue
                self.under_way += 1
            number = next(self._numbers)
            changes = {(first, "pair"): number, (second, "pair"): number, (first, name): number}
            try:
                self.commit(changes, stubborn=name == "stubborn")
            finally:
                with self._changed:
                    self.under_way -= 1
                    self._changed.notify_all()
