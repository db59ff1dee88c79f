"""Sync and watch: what changed since a state that the client names, now or the moment it happens (DESIGN.md §6).

One statement reads the environment's revision, the scopes' and whether the client's state is in this history, so an
answer is of one moment. Everything else in it is history, which never changes.
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Literal, Protocol

from configsvc.domain import cursors
from configsvc.domain.policy import Access, Action, Grant, decide
from configsvc.errors import NotFound, RateLimited
from configsvc.service.access import Authenticate, Caller, not_found
from configsvc.service.bodies import Bodies, Body, Label
from configsvc.service.holds import LOOK_S, Holds, Wait
from configsvc.store import config as store
from configsvc.store.database import Database, Row
from configsvc.store.watch import Report
from configsvc.together import Together

#: A client further behind gets the whole scope: reading its keys then costs less than reading the releases between.
CHANGES_REVISIONS_MAX = 1_000
#: Holds end up to this part before their time. Else those whom one pause has brought together would stay together, and
#: come as a herd every five seconds.
HOLD_JITTER = 0.2
#: Views remembered at a time: one for all instances of an application.
VIEWS_MAX = 10_000


class Waker(Protocol):
    """Wakes a held request when its environment moves (the hub)."""

    def next_move(self, env: str, after_revision: int) -> Wait:
        """Return what waits until the environment moves on from a revision."""
        ...

    def rest(self) -> None:
        """Wait while others are being woken."""
        ...


class Collector(Protocol):
    """Takes what clients say of themselves."""

    def add(self, report: Report) -> None:
        """Remember a report."""
        ...


@dataclass(frozen=True, slots=True)
class Client:
    """Who syncs, as it says itself."""

    id: str
    service: str
    host: str
    pid: int
    sdk: str
    transport: str
    rejected: str | None
    #: It ends: nobody is to count it any more.
    leaving: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client has and wants. ``have`` and ``view`` are None together, when it has nothing whole."""

    env: str
    namespaces: tuple[str, ...]
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
    """What to tell the client. ``bodies``: JSON by namespace, as ``kind`` says; those that changed, or all."""

    kind: Literal["full", "changes", "none"]
    reset: bool
    cursor: str
    view: str
    bodies: Mapping[str, Body] = field(repr=False)


#: Makes the text of an answer. It is made once for all who get the same, so it may depend on nothing else.
Render = Callable[[Answer], Body]


#: What a state is asked with: environment, namespaces, and the revision or cursor that somebody has.
_Question = tuple[str, tuple[str, ...], int | str | None]


class Sync:
    """Answers sync and watch.

    Thousands ask for the same: they share what is looked up, and the text of the answer.
    """

    def __init__(self, database: Database, bodies: Bodies, waker: Waker, holds: Holds, collector: Collector) -> None:
        self._database = database
        self._bodies = bodies
        self._waker = waker
        self._holds = holds
        self._collector = collector
        # Many clients of one environment sync at the same moment: after every release, and after every outage.
        self._newest = Together[str, Row | None](lambda env: store.newest(database, env))
        self._states = Together[_Question, State | None](lambda key: _look_up(database, *key))

    def sync(
        self,
        caller: Caller,
        authenticate: Authenticate,
        client: Client,
        asked: Asked,
        wait_s: float,
        render: Render,
    ) -> str:
        """Answer at once if there is news, else as soon as there is, at the latest after ``wait_s`` seconds.

        A caller with too many held requests is not held: what it has is the newest, and clients ask less often then.
        """
        now = time.monotonic()
        deadline = now + wait_s * (1 - HOLD_JITTER * random.random())  # noqa: S311  # no secret
        view = _check(asked, caller)
        # What happens after a look that is a little old ends the hold at once.
        cursor = self._cursor(asked.env, now - LOOK_S if wait_s else now)
        if cursor != asked.have:
            cursor = self._cursor(asked.env, now)
        if cursor != asked.have or view.word != asked.view:
            state = self._state(asked, now)
            self._collector.add(_report(caller, client, asked, asked.have if state.known else None))
            return self._news(asked, state, view, render)
        # The usual case costs one look-up: what the client has is the newest, so its namespaces are still there.
        self._collector.add(_report(caller, client, asked, asked.have))
        since = now
        while cursor == asked.have and view.word == asked.view and (left_s := self._holds.left_s(deadline)) > 0:
            try:
                caller, since = self._hold(caller, authenticate, asked, cursors.revision_of(cursor) or 0, left_s)
            except RateLimited:
                break
            view = _check(asked, caller)
            cursor = self._cursor(asked.env, since)
        if cursor != asked.have or view.word != asked.view:
            return self._news(asked, self._state(asked, since), view, render)
        nothing = Answer("none", False, cursor, view.word, {})
        return self._bodies.answer((render, cursor, view.word), partial(render, nothing))

    def rest(self) -> None:
        """Wait before the next request of a client that was held, while others are still waiting for their news."""
        self._waker.rest()

    def watch(
        self,
        caller: Caller,
        authenticate: Authenticate,
        namespace: str,
        env: str,
        have: int | str,
        timeout_s: float,
        render: Render,
    ) -> tuple[str, str]:
        """Answer as soon as the scope has changed since a revision or a cursor, at the latest after ``timeout_s``.

        Returns the cursor to go on from, and the text.

        Raises:
            RateLimited: there is nothing new, and the caller has too many held requests. An answer at once would have
                a simple client ask again at once.
        """
        since = time.monotonic()
        deadline = since + timeout_s
        asked = Asked(env, (namespace,), None, None)
        while True:
            view = _check(asked, caller)
            state = self._state(asked, since, have)
            left_s = self._holds.left_s(deadline)
            if left_s <= 0 or _has_news(state, namespace, have):
                return state.cursor, self._watched(asked, state, view, have, render)
            caller, since = self._hold(caller, authenticate, asked, state.revision, left_s)

    def follow(
        self,
        authenticate: Authenticate,
        namespace: str,
        env: str,
        cursor: str,
        timeout_s: float,
        render: Render,
    ) -> tuple[str, str]:
        """Wait for what comes after a cursor that ``watch`` or this gave, at most ``timeout_s``.

        Returns the cursor to go on from, and the text. Takes no place: it may be for many, who have taken theirs.
        """
        asked = Asked(env, (namespace,), None, None)
        wait = self._waker.next_move(env, cursors.revision_of(cursor) or 0)
        caller, since = self._holds.wait(authenticate, partial(_check, asked), wait, timeout_s)
        view = _check(asked, caller)
        state = self._state(asked, since, cursor)
        return state.cursor, self._watched(asked, state, view, cursor, render)

    def _hold(
        self, caller: Caller, authenticate: Authenticate, asked: Asked, after_revision: int, timeout_s: float
    ) -> tuple[Caller, float]:
        wait = self._waker.next_move(asked.env, after_revision)
        return self._holds.hold(caller, authenticate, partial(_check, asked), wait, timeout_s)

    def _state(self, asked: Asked, since: float, have: int | str | None = None) -> State:
        state = self._states((asked.env, asked.namespaces, asked.have if have is None else have), since)
        if state is None:
            raise not_found(None, asked.env)
        if missing := [name for name in asked.namespaces if name not in state.scopes]:
            raise _missing(missing, asked.env)
        return state

    def _cursor(self, env: str, since: float) -> str:
        row = self._newest(env, since)
        if row is None:
            raise not_found(None, env)
        return cursors.render(row["revision"], row["hash"])

    def _news(self, asked: Asked, state: State, view: View, render: Render) -> str:
        # The question and the state name one answer, because history never changes.
        name = render, asked, state.cursor, state.known, view.word
        return self._bodies.answer(name, lambda: render(self._answer(asked, state, view)))

    def _answer(self, asked: Asked, state: State, view: View) -> Answer:
        after = cursors.revision_of(asked.have) if asked.have is not None else None
        reset = asked.have is not None and not state.known
        behind = state.revision - (after or 0)
        if after is None or reset or view.word != asked.view or behind > CHANGES_REVISIONS_MAX:
            values = {name: self._bodies.values_body(label, name in view.clear) for name, label in state.scopes.items()}
            return Answer("full", reset, state.cursor, view.word, values)
        changed = {name: label for name, label in state.scopes.items() if label.revision > after}
        bodies = {name: self._bodies.changes_body(label, after, name in view.clear) for name, label in changed.items()}
        return Answer("changes" if bodies else "none", False, state.cursor, view.word, bodies)

    def _watched(self, asked: Asked, state: State, view: View, have: int | str, render: Render) -> str:
        name = render, have, asked, state.cursor, view.word
        return self._bodies.answer(name, lambda: render(self._changes(asked, state, view, have)))

    def _changes(self, asked: Asked, state: State, view: View, have: int | str) -> Answer:
        [namespace] = asked.namespaces
        if not _has_news(state, namespace, have):
            return Answer("none", False, state.cursor, view.word, {})
        after = _revision(have) if state.known else 0
        body = self._bodies.changes_body(state.scopes[namespace], after, namespace in view.clear)
        return Answer("changes" if state.known else "full", not state.known, state.cursor, view.word, {namespace: body})


def _look_up(database: Database, env: str, namespaces: tuple[str, ...], have: int | str | None) -> State | None:
    revision = cursors.revision_of(have) if isinstance(have, str) else have
    row = store.labels(database, env, namespaces, revision)
    if row is None:
        return None
    known = row["have_hash"] is not None and (
        isinstance(have, int) or cursors.render(revision or 0, row["have_hash"]) == have
    )
    scopes = {
        name: Label(row["env_id"], namespace_id, moved, cursors.render(moved, bytes.fromhex(chain_hash)), env, name)
        for name, (namespace_id, moved, chain_hash) in (row["scopes"] or {}).items()
    }
    return State(row["revision"], cursors.render(row["revision"], row["hash"]), scopes, known)


def _has_news(state: State, namespace: str, have: int | str) -> bool:
    return not state.known or state.scopes[namespace].revision > _revision(have)


def _revision(have: int | str) -> int:
    return have if isinstance(have, int) else cursors.revision_of(have) or 0


def _check(asked: Asked, caller: Caller) -> View:
    return _view(caller.identity.grants, asked.env, asked.namespaces)


@lru_cache(VIEWS_MAX)
def _view(grants: tuple[Grant, ...], env: str, namespaces: tuple[str, ...]) -> View:
    """Check the rights."""
    missing = [name for name in namespaces if not _may(grants, Action.READ, name, env)]
    if missing:
        raise _missing(missing, env)
    rights = [(name, _may(grants, Action.READ_SECRETS, name, env)) for name in sorted(namespaces)]
    word = hashlib.sha256(repr(rights).encode()).hexdigest()[:16]
    return View(word, frozenset(name for name, clear in rights if clear))


def _may(grants: tuple[Grant, ...], action: Action, namespace: str, env: str) -> bool:
    return decide(grants, action, namespace, env, False) is Access.ALLOWED


def _report(caller: Caller, client: Client, asked: Asked, have: str | None) -> Report:
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
        leaving=client.leaving,
        token_id=caller.identity.token_id,
    )


def _missing(namespaces: Sequence[str], env: str) -> NotFound:
    if len(namespaces) == 1:
        return not_found(namespaces[0], env)
    listed = ", ".join(namespaces)
    return NotFound(f"there are no namespaces {listed} in an environment {env}, or you have no grant there")
