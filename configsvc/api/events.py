"""Server-sent events: a watch that goes on."""

import time
from functools import partial

from configsvc.api.held import Followed
from configsvc.domain import strict_json
from configsvc.domain.sse import HEARTBEAT, RETRY
from configsvc.service.access import Authenticate, Caller
from configsvc.service.bodies import Body
from configsvc.service.followers import Follower, Followers, Place
from configsvc.service.holds import Holds
from configsvc.service.sync import Answer, Sync


class Events:
    """The changes of scopes, from a state on."""

    def __init__(self, sync: Sync, holds: Holds) -> None:
        self._sync = sync
        self._followers = Followers(sync, holds, _event)
        self.end = self._followers.end

    def after(
        self, caller: Caller, authenticate: Authenticate, namespace: str, env: str, have: int | str, timeout_s: float
    ) -> Followed:
        """Return the first event since ``have``, and what sends the others: until ``timeout_s`` seconds are over, or an
        event says why there will be none.

        Raises:
            RequestError: nothing can be sent at all.
        """
        deadline = time.monotonic() + timeout_s
        cursor, first = self._sync.watch(caller, authenticate, namespace, env, have, 0, _event)
        place = Place(caller.identity.token_id, namespace, env, cursor)
        join = partial(self._followers.join, caller, authenticate, place)
        return Followed(f"{RETRY}{first}".encode(), lambda sink, over: join(Follower(sink, deadline, over)))


def _event(answer: Answer) -> Body:
    if answer.kind == "none":
        return Body.join([HEARTBEAT])
    [changes] = answer.bodies.values()
    head = strict_json.dumps({"reset": answer.reset})
    return Body.join([f'id: {answer.cursor}\ndata: {head[:-1]},"changes":', changes, "}\n\n"])
