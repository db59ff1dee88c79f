"""Sync for clients of the SDK, watch and its stream for everything else that speaks HTTP."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.events import Events
from configsvc.api.held import held, stream
from configsvc.api.models import SyncRequest
from configsvc.api.requests import again, caller
from configsvc.domain import cursors, strict_json
from configsvc.errors import Malformed
from configsvc.service.access import Authenticate, Authenticator, Caller
from configsvc.service.bodies import Body
from configsvc.service.sync import Answer, Asked, Client, Sync

PATH = "/v1/sync"
#: How long a watch may be held; most proxies cut at 60 s.
WATCH_S_MAX, WATCH_S_DEFAULT = 55, 30
#: How long a stream lasts; whoever follows it comes back, perhaps to another worker.
STREAM_S_MAX = 3600
#: A client reports within this time after it applied a release, so that an operator sees who has it.
REPORT_WITHIN_S = 2


class Syncs:
    """What answers syncs."""

    def __init__(self, sync: Sync, push: Callable[[str], object], next_sync_s: Callable[[], int]) -> None:
        """``push``: by environment, what clients need to subscribe (URL and public keys), None without an account.

        ``next_sync_s``: how often clients are asked to sync now.
        """
        self._sync = sync
        self._next_sync_s = next_sync_s
        # Only environments that are there get as far as this.
        self._tail = cache(lambda env: strict_json.dumps({"report_within_s": REPORT_WITHIN_S, "push": push(env)})[1:])

    def answer(self, who: Caller, authenticate: Authenticate, body: SyncRequest) -> Callable[[], bytes]:
        """Return what makes the answer's text, after a wait where the body asks for one."""
        client, asked = _read(body)
        wait_s = body.wait_s  # what is held keeps no body: two KiB each

        def answer() -> bytes:
            text = self._sync.sync(who, authenticate, client, asked, wait_s, _sync_body)
            return f'{text}"next_sync_s":{self._next_sync_s()},{self._tail(asked.env)}'.encode()

        return answer

    def rest(self, environ: Mapping[str, Any]) -> Callable[[], None] | None:
        """Return what is called when a held answer has been sent, None for nothing.

        Nothing where a proxy may send anybody's request next on this connection.
        """
        return None if "HTTP_X_FORWARDED_FOR" in environ else self._sync.rest


def blueprint(authenticator: Authenticator, sync: Sync, syncs: Syncs, events: Events) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("sync", __name__)

    @routes.post(PATH)
    def synchronize() -> Response:
        # Nearly all syncs are answered by the shortcut, and never get here.
        door.parameters(request)
        body = door.body(request, SyncRequest)
        answer = syncs.answer(caller(), again(authenticator), body)
        return held(answer, syncs.rest(request.environ)) if body.wait_s else render.ready(answer())

    @routes.get("/v1/namespaces/<namespace>/envs/<env>/watch")
    def watch(namespace: str, env: str) -> Response:
        given = door.parameters(request, ("since", "timeout"))
        timeout_s = door.number(given, "timeout", WATCH_S_DEFAULT, 0, WATCH_S_MAX)
        since = _since(given.get("since", "0"))
        who, authenticate = caller(), again(authenticator)

        def answer() -> bytes:
            _, text = sync.watch(who, authenticate, namespace, env, since, timeout_s, _watch_body)
            return text.encode()

        return held(answer)

    @routes.get("/v1/namespaces/<namespace>/envs/<env>/stream")
    def follow(namespace: str, env: str) -> Response:
        given = door.parameters(request, ("since", "timeout"))
        timeout_s = door.number(given, "timeout", STREAM_S_MAX, 0, STREAM_S_MAX)
        since, last = _since(given.get("since", "0")), request.headers.get("Last-Event-ID")
        have = since if last is None else _since(last)
        who, authenticate = caller(), again(authenticator)
        return stream(lambda: events.after(who, authenticate, namespace, env, have, timeout_s))

    return routes


def _read(body: SyncRequest) -> tuple[Client, Asked]:
    said = body.client
    rejected = said.rejected.reason if said.rejected else None
    client = Client(said.id, said.service, said.host, said.pid, said.sdk, said.transport, rejected, said.leaving)
    return client, Asked(body.env, tuple(dict.fromkeys(body.namespaces)), body.have, body.view)


def _since(text: str) -> int | str:
    if door.NUMBER.fullmatch(text):
        return int(text)
    if cursors.revision_of(text) is None:
        raise Malformed("since must be a revision, or the cursor of the last answer")
    return text


def _sync_body(answer: Answer) -> Body:
    """Make an answer's text up to its last members, which are not the same for all."""
    head = {
        "kind": answer.kind,
        "reset": answer.reset,
        "revision": cursors.revision_of(answer.cursor),
        "cursor": answer.cursor,
        "view": answer.view,
    }
    parts: list[str | Body] = [f"{strict_json.dumps(head)[:-1]},"]
    if answer.kind != "none":
        parts.append('"values":{' if answer.kind == "full" else '"changes":{')
        for number, (name, body) in enumerate(answer.bodies.items()):
            parts += [f"{',' if number else ''}{strict_json.dumps(name)}:", body]
        parts.append("},")
    return Body.join(parts)


def _watch_body(answer: Answer) -> Body:
    head = {
        "has_changes": answer.kind != "none",
        "reset": answer.reset,
        "latest_revision": cursors.revision_of(answer.cursor),
        "cursor": answer.cursor,
    }
    [changes] = answer.bodies.values() or ["[]"]
    return Body.join([f'{strict_json.dumps(head)[:-1]},"changes":', changes, "}"])
