"""That environments have moved, for pages that show them: one stream for all that a page shows, since a browser holds
only few connections to one server. It says where to look again, not what is new, so it tells nobody more than they see.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from configsvc.domain import strict_json
from configsvc.domain.policy import Action
from configsvc.domain.sse import HEARTBEAT, HEARTBEAT_S, RETRY, end
from configsvc.errors import RequestError
from configsvc.service.access import Authenticate, Caller
from configsvc.service.holds import Holds, Wait

#: Several environments are listened to in turns, for so long each.
_TURN_S = 0.2


class Lookout(Protocol):
    """Knows how far environments are (the hub)."""

    def revision(self, env: str) -> int | None:
        """Return the newest revision, None where it is not known yet."""
        ...

    def next_move(self, env: str, after_revision: int) -> Wait:
        """Return what waits until the environment moves on from a revision."""
        ...


class Moves:
    """Tells that environments have moved."""

    def __init__(self, lookout: Lookout, holds: Holds) -> None:
        self._lookout = lookout
        self._holds = holds

    def after(
        self, caller: Caller, authenticate: Authenticate, shown: Mapping[str, int], timeout_s: float
    ) -> Iterable[bytes]:
        """Return server-sent events, one whenever an environment is at another revision than is shown of it.

        They end after ``timeout_s`` seconds, or with an event that says why.

        Raises:
            NotFound: the caller has no grant in one of the environments.
        """
        _check(caller, shown)
        return self._all(caller, authenticate, dict(shown), time.monotonic() + timeout_s)

    def _all(
        self, caller: Caller, authenticate: Authenticate, shown: dict[str, int], deadline: float
    ) -> Iterator[bytes]:
        yield f"{RETRY}\n".encode()
        while (left_s := self._holds.left_s(deadline)) > 0:
            woken: set[str] = set()
            wait = _any([_noting(woken, env, self._lookout.next_move(env, shown[env])) for env in shown])
            try:
                caller, _ = self._holds.hold(
                    caller, authenticate, lambda again: _check(again, shown), wait, min(left_s, HEARTBEAT_S)
                )
                _check(caller, shown)
            except RequestError as error:
                yield end(error).encode()
                return
            # A smaller one, or a move to the same, is another history: a database that was restored. (Or old news here,
            # which costs one look.)
            known = {env: self._lookout.revision(env) for env in shown}
            now = {env: shown[env] if revision is None else revision for env, revision in known.items()}
            moved = [env for env in now if env in woken or now[env] != shown[env]]
            shown.update(now)
            event = f"id: {written(shown)}\ndata: {strict_json.dumps(moved)}\n\n" if moved else HEARTBEAT
            yield event.encode()


def written(shown: Mapping[str, int]) -> str:
    """Return revisions by environment as one word."""
    return ",".join(f"{env}:{revision}" for env, revision in shown.items())


def _check(caller: Caller, shown: Mapping[str, int]) -> None:
    for env in shown:
        caller.require(Action.READ, None, env)


def _noting(woken: set[str], env: str, wait: Wait) -> Wait:
    """Return the same wait, which notes what it was that moved."""

    def noting(timeout_s: float) -> float | None:
        moved_at = wait(timeout_s)
        if moved_at is not None:
            woken.add(env)
        return moved_at

    return noting


def _any(waits: Sequence[Wait]) -> Wait:
    """Return what waits for the first of several. What moves while another one is listened to is not missed."""

    def wait(timeout_s: float) -> float | None:
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            for one in waits:
                if (moved_at := one(left_s if len(waits) == 1 else min(_TURN_S, left_s))) is not None:
                    return moved_at
        return None

    return wait
