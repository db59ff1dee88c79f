"""Sync and watch: what changed since a state that the client names, now or the moment it happens (DESIGN.md §6).

One statement reads the environment's revision, the scopes' and whether the client's state is in this history, so an
answer is of one moment. Everything else in it is history, which never changes.
"""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from configsvc.domain import cursors
from configsvc.domain.policy import Action
from configsvc.errors import NotFound, RateLimited
from configsvc.service.access import Caller, not_found
from configsvc.service.bodies import Bodies, Label
from configsvc.service.holds import Authenticate, Holds
from configsvc.store import config as store
from configsvc.store.database import Database, Row
from configsvc.store.watch import Report
from configsvc.together import Together

#: A client further behind gets the whole scope: reading its keys then costs less than reading the releases between.
CHANGES_REVISIONS_MAX = 1_000


class Waker(Protocol):
    """Wakes a held request when its environment moves (the hub)."""

    def next_move(self, env: str, after_revision: int) -> Callable[[float], bool]:
        """Return what waits, so many seconds at a time, until the environment moves on from a revision."""
        ...


class Collector(Protocol):
    """Takes what clients say of themselves."""

    def add(self, report: Report) -> None:
        """Remember a report."""
        ...


@dataclass(frozen=True)
class Client:
    """Who syncs, as it says itself."""

    id: str
    service: str
    host: str
    pid: int
    sdk: str
    transport: str
    rejected: str | None


@dataclass(frozen=True)
class Asked:
    """What a client has and wants. ``have`` and ``view`` are None together, when it has nothing whole."""

    env: str
    namespaces: Sequence[str]
    have: str | None
    view: str | None


@dataclass(frozen=True)
class View:
    """What a caller may read. ``word``: opaque, another one when what they see would be. ``clear``: with secrets."""

    word: str
    clear: frozenset[str]


@dataclass(frozen=True)
class State:
    """An environment, and some of its scopes, at one moment."""

    revision: int
    cursor: str
    scopes: Mapping[str, Label]
    #: Whether the cursor asked about is in this history.
    known: bool


@dataclass(frozen=True)
class Answer:
    """What to tell the client. ``bodies``: ready JSON by namespace, as ``kind`` says; those that changed, or all."""

    kind: Literal["full", "changes", "none"]
    reset: bool
    cursor: str
    view: str
    bodies: Mapping[str, str] = field(repr=False)


class Sync:
    """Answers sync and watch."""

    def __init__(self, database: Database, bodies: Bodies, waker: Waker, holds: Holds, collector: Collector) -> None:
        self._database = database
        self._bodies = bodies
        self._waker = waker
        self._holds = holds
        self._collector = collector
        # Many clients of one environment sync at the same moment: after every release, and after every outage.
        self._newest = Together[str, Row | None](lambda env: store.newest(database, env))

    def sync(self, caller: Caller, authenticate: Authenticate, client: Client, asked: Asked, wait_s: float) -> Answer:
        """Answer at once if there is news, else as soon as there is, at the latest after ``wait_s`` seconds.

        A caller with too many held requests is not held: what it has is the newest, and clients ask less often then.
        """
        deadline = time.monotonic() + wait_s
        view = self._view(caller, asked)
        cursor = self._cursor(asked.env)
        if cursor != asked.have or view.word != asked.view:
            return self._news(client, asked, view)
        # The usual case costs one look-up: what the client has is the newest, so its namespaces are still there.
        self._collector.add(_report(client, asked, asked.have))
        while cursor == asked.have and view.word == asked.view and (left_s := deadline - time.monotonic()) > 0:
            try:
                caller = self._hold(caller, authenticate, asked, cursors.revision_of(cursor) or 0, left_s)
            except RateLimited:
                break
            view = self._view(caller, asked)
            cursor = self._cursor(asked.env)
        if cursor != asked.have or view.word != asked.view:
            return self._answer(asked, self._state(asked), view)
        return Answer("none", False, cursor, view.word, {})

    def watch(
        self,
        caller: Caller,
        authenticate: Authenticate,
        namespace: str,
        env: str,
        since: int | str,
        timeout_s: float,
    ) -> Answer:
        """Answer as soon as the scope has changed since a revision or a cursor, at the latest after ``timeout_s``.

        Raises:
            RateLimited: there is nothing new, and the caller has too many held requests. An answer at once would have
                a simple client ask again at once.
        """
        deadline = time.monotonic() + timeout_s
        asked = Asked(env, [namespace], None, None)
        while True:
            view = self._view(caller, asked)
            state = self._state(asked, since)
            after = since if isinstance(since, int) else cursors.revision_of(since) or 0
            label = state.scopes[namespace]
            clear = namespace in view.clear
            if not state.known:
                return Answer("full", True, state.cursor, view.word, {namespace: self._bodies.changes(label, 0, clear)})
            left_s = deadline - time.monotonic()
            if label.revision > after:
                changes = self._bodies.changes(label, after, clear)
                return Answer("changes", False, state.cursor, view.word, {namespace: changes})
            if left_s <= 0:
                return Answer("none", False, state.cursor, view.word, {})
            caller = self._hold(caller, authenticate, asked, state.revision, left_s)

    def _hold(
        self, caller: Caller, authenticate: Authenticate, asked: Asked, after_revision: int, timeout_s: float
    ) -> Caller:
        wait = self._waker.next_move(asked.env, after_revision)
        return self._holds.hold(caller, authenticate, lambda again: self._view(again, asked), wait, timeout_s)

    def _view(self, caller: Caller, asked: Asked) -> View:
        """Check the rights."""
        missing = [name for name in asked.namespaces if not caller.may(Action.READ, name, asked.env)]
        if missing:
            raise _missing(missing, asked.env)
        rights = [(name, caller.may(Action.READ_SECRETS, name, asked.env)) for name in sorted(asked.namespaces)]
        word = hashlib.sha256(repr(rights).encode()).hexdigest()[:16]
        return View(word, frozenset(name for name, clear in rights if clear))

    def _state(self, asked: Asked, since: int | str | None = None) -> State:
        have = asked.have if since is None else since
        have_revision = cursors.revision_of(have) if isinstance(have, str) else have
        row = store.labels(self._database, asked.env, asked.namespaces, have_revision)
        if row is None:
            raise not_found(None, asked.env)
        scopes = row["scopes"] or {}
        if missing := [name for name in asked.namespaces if name not in scopes]:
            raise _missing(missing, asked.env)
        known = row["have_hash"] is not None and (
            isinstance(have, int) or cursors.render(have_revision or 0, row["have_hash"]) == have
        )
        labels = {
            name: Label(
                row["env_id"],
                namespace_id,
                revision,
                cursors.render(revision, bytes.fromhex(chain_hash)),
                asked.env,
                name,
            )
            for name, (namespace_id, revision, chain_hash) in scopes.items()
        }
        return State(row["revision"], cursors.render(row["revision"], row["hash"]), labels, known)

    def _cursor(self, env: str) -> str:
        row = self._newest(env)
        if row is None:
            raise not_found(None, env)
        return cursors.render(row["revision"], row["hash"])

    def _news(self, client: Client, asked: Asked, view: View) -> Answer:
        state = self._state(asked)
        self._collector.add(_report(client, asked, asked.have if state.known else None))
        return self._answer(asked, state, view)

    def _answer(self, asked: Asked, state: State, view: View) -> Answer:
        after = cursors.revision_of(asked.have) if asked.have is not None else None
        reset = asked.have is not None and not state.known
        behind = state.revision - (after or 0)
        if after is None or reset or view.word != asked.view or behind > CHANGES_REVISIONS_MAX:
            values = {name: self._bodies.values(label, name in view.clear) for name, label in state.scopes.items()}
            return Answer("full", reset, state.cursor, view.word, values)
        changed = {name: label for name, label in state.scopes.items() if label.revision > after}
        bodies = {name: self._bodies.changes(label, after, name in view.clear) for name, label in changed.items()}
        return Answer("changes" if bodies else "none", False, state.cursor, view.word, bodies)


def _report(client: Client, asked: Asked, have: str | None) -> Report:
    """Say what the client has; ``have`` is None where it is nothing of this history."""
    return Report(
        client_id=client.id,
        env=asked.env,
        namespaces=asked.namespaces,
        service=client.service,
        host=client.host,
        pid=client.pid,
        sdk=client.sdk,
        transport=client.transport,
        revision=cursors.revision_of(have) or 0 if have else 0,
        cursor=have or "",
        rejected=client.rejected,
    )


def _missing(namespaces: Sequence[str], env: str) -> NotFound:
    if len(namespaces) == 1:
        return not_found(namespaces[0], env)
    listed = ", ".join(namespaces)
    return NotFound(f"there are no namespaces {listed} in an environment {env}, or you have no grant there")
