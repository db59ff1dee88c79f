"""``S/config``: read settings, as they are or as they were, and one secret by name."""

from collections.abc import Iterable

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import Reveal
from configsvc.api.requests import began, caller
from configsvc.domain import cursors, messages, strict_json
from configsvc.service.history import History
from configsvc.service.reading import KeyState, Reading, Scope

_SCOPE = "/v1/namespaces/<namespace>/envs/<env>/config"


def blueprint(reading: Reading, history: History) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("settings", __name__)

    @routes.get(_SCOPE)
    def get_scope(namespace: str, env: str) -> Response:
        moment = door.moment(door.parameters(request, ("revision", "at")))
        if moment is None:
            scope = reading.scope(caller(), namespace, env, since=began())
        else:
            scope = history.scope(caller(), namespace, env, moment)
        etag = f"r{scope.label.cursor}{'.m' if scope.masked else ''}"
        if request.if_none_match.contains_weak(etag):
            return render.not_modified(*_cacheable(etag))
        body = reading.document(scope, lambda: _around(namespace, env, scope))
        return render.ready(body, *_cacheable(etag))

    @routes.get(f"{_SCOPE}/<key>")
    def get_key(namespace: str, env: str, key: str) -> Response:
        door.parameters(request)
        state = reading.key(caller(), namespace, env, key)
        row = state.row
        etag = f"v{row['version']}{'.m' if state.masked else ''}"
        if request.if_none_match.contains_weak(etag):
            return render.not_modified(*_cacheable(etag))
        more = {
            "namespace": namespace,
            "env": env,
            "key": key,
            "revision": row["revision"],
            "cursor": cursors.render(row["revision"], row["hash"]),
            "changed_by": row["created_by"],
            "created_at": render.timestamp(row["created_at"]),
        }
        entry = _entry(namespace, env, key, state)
        return render.ready(f"{strict_json.dumps(more)[:-1]},{entry[1:]}", *_cacheable(etag))

    @routes.post(f"{_SCOPE}/<key>/reveal")
    def reveal(namespace: str, env: str, key: str) -> Response:
        door.parameters(request)
        body = door.body(request, Reveal)
        row, value = reading.reveal(caller(), namespace, env, key, body.reason)
        head = {"namespace": namespace, "env": env, "key": key, "type": row["type"], "version": row["version"]}
        return render.ready(f'{strict_json.dumps(head)[:-1]},"secret":true,"value":{value}}}')

    def _entry(namespace: str, env: str, key: str, state: KeyState) -> str:
        row = state.row
        if state.masked:
            return messages.masked_entry(row["type"], row["version"], row["fingerprint"])
        value = reading.value(namespace, env, key, state)
        if not state.secret:
            return messages.config_entry(row["type"], row["version"], value)
        return value.join(messages.secret_entry(row["type"], row["version"]))

    return routes


def _around(namespace: str, env: str, scope: Scope) -> tuple[str, str]:
    head = {"namespace": namespace, "env": env, "revision": scope.label.revision, "cursor": scope.label.cursor}
    return f'{strict_json.dumps(head)[:-1]},"values":', "}"


def _cacheable(etag: str) -> Iterable[tuple[str, str]]:
    return ("ETag", f'"{etag}"'), ("Cache-Control", "private, no-cache"), ("Vary", "Authorization")
