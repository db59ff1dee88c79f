"""Sync for clients of the SDK, watch for everything else that speaks HTTP."""

from collections.abc import Callable
from functools import cache

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import SyncClient, SyncRequest
from configsvc.api.requests import again, caller
from configsvc.domain import cursors, strict_json
from configsvc.errors import Malformed
from configsvc.service.access import Authenticator
from configsvc.service.sync import Answer, Asked, Client, Sync

#: How long a watch may be held; most proxies cut at 60 s.
WATCH_S_MAX, WATCH_S_DEFAULT = 55, 30
#: A client reports within this time after it applied a release, so that an operator sees who has it.
REPORT_WITHIN_S = 2


def blueprint(authenticator: Authenticator, sync: Sync, push: Callable[[str], object], next_sync_s: int) -> Blueprint:
    """Make the blueprint.

    ``push``: by environment, what clients need to subscribe (URL and public keys), None without an account for them.
    """
    routes = Blueprint("sync", __name__)

    @cache  # only environments that are there get as far as this
    def tail(env: str) -> str:
        return strict_json.dumps({"next_sync_s": next_sync_s, "report_within_s": REPORT_WITHIN_S, "push": push(env)})[
            1:
        ]

    @routes.post("/v1/sync")
    def synchronize() -> Response:
        door.parameters(request)
        body = door.body(request, SyncRequest)
        asked = Asked(body.env, tuple(dict.fromkeys(body.namespaces)), body.have, body.view)
        answer = sync.sync(caller(), again(authenticator), _client(body.client), asked, body.wait_s)
        return render.ready(_sync_text(answer, tail(asked.env)))

    @routes.get("/v1/namespaces/<namespace>/envs/<env>/watch")
    def watch(namespace: str, env: str) -> Response:
        given = door.parameters(request, ("since", "timeout"))
        timeout_s = door.number(given, "timeout", WATCH_S_DEFAULT, 0, WATCH_S_MAX)
        answer = sync.watch(caller(), again(authenticator), namespace, env, _since(given.get("since", "0")), timeout_s)
        return render.ready(_watch_text(answer, namespace))

    return routes


def _client(said: SyncClient) -> Client:
    rejected = said.rejected.reason if said.rejected else None
    return Client(said.id, said.service, said.host, said.pid, said.sdk, said.transport, rejected)


def _since(text: str) -> int | str:
    if door.NUMBER.fullmatch(text):
        return int(text)
    if cursors.revision_of(text) is None:
        raise Malformed("since must be a revision, or the cursor of the last answer")
    return text


def _sync_text(answer: Answer, tail: str) -> str:
    head = {
        "kind": answer.kind,
        "reset": answer.reset,
        "revision": cursors.revision_of(answer.cursor),
        "cursor": answer.cursor,
        "view": answer.view,
    }
    bodies = ",".join(f"{strict_json.dumps(name)}:{text}" for name, text in answer.bodies.items())
    member = {"full": f'"values":{{{bodies}}},', "changes": f'"changes":{{{bodies}}},', "none": ""}[answer.kind]
    return f"{strict_json.dumps(head)[:-1]},{member}{tail}"


def _watch_text(answer: Answer, namespace: str) -> str:
    head = {
        "has_changes": answer.kind != "none",
        "reset": answer.reset,
        "latest_revision": cursors.revision_of(answer.cursor),
        "cursor": answer.cursor,
    }
    return f'{strict_json.dumps(head)[:-1]},"changes":{answer.bodies.get(namespace, "[]")}}}'
