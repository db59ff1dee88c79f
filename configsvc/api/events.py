"""Server-sent events: a watch that goes on."""

import time
from collections.abc import Iterable, Iterator

from configsvc.domain import strict_json
from configsvc.domain.sse import HEARTBEAT, HEARTBEAT_S, RETRY, end
from configsvc.errors import RequestError
from configsvc.service.access import Authenticate, Caller
from configsvc.service.bodies import Body
from configsvc.service.sync import Answer, Sync


class Events:
    """The changes of a scope, from a state on."""

    def __init__(self, sync: Sync, authenticate: Authenticate, namespace: str, env: str) -> None:
        self._sync = sync
        self._authenticate = authenticate
        self._scope = namespace, env

    def after(self, caller: Caller, have: int | str, timeout_s: float) -> Iterable[bytes]:
        """Return the events since ``have``; they end after ``timeout_s`` seconds, or with an event that says why.

        Raises:
            RequestError: nothing can be sent at all.
        """
        deadline = time.monotonic() + timeout_s
        cursor, first = self._sync.watch(caller, self._authenticate, *self._scope, have, 0, _event)
        return self._all(caller, RETRY + first, cursor, deadline)

    def _all(self, caller: Caller, text: str, cursor: str, deadline: float) -> Iterator[bytes]:
        yield text.encode()
        while (left_s := self._sync.left_s(deadline)) > 0:
            wait_s = min(left_s, HEARTBEAT_S)
            try:
                caller, cursor, text = self._sync.follow(
                    caller, self._authenticate, *self._scope, cursor, wait_s, _event
                )
            except RequestError as error:
                yield end(error).encode()
                return
            yield text.encode()


def _event(answer: Answer) -> Body:
    if answer.kind == "none":
        return Body.join([HEARTBEAT])
    [changes] = answer.bodies.values()
    head = strict_json.dumps({"reset": answer.reset})
    return Body.join([f'id: {answer.cursor}\ndata: {head[:-1]},"changes":', changes, "}\n\n"])
