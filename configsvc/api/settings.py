"""``S/config``: read settings, as they are or as they were."""

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.requests import caller
from configsvc.domain import cursors, messages, strict_json
from configsvc.service.history import History
from configsvc.service.reading import Reading, Scope

_SCOPE = "/v1/namespaces/<namespace>/envs/<env>/config"


def blueprint(reading: Reading, history: History) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("settings", __name__)

    @routes.get(_SCOPE)
    def get_scope(namespace: str, env: str) -> Response:
        moment = door.moment(door.parameters(request, ("revision", "at")))
        if moment is None:
            scope = reading.scope(caller(), namespace, env)
        else:
            scope = history.scope(caller(), namespace, env, moment)
        etag = f"r{scope.label.cursor}{'.m' if scope.masked else ''}"
        if request.if_none_match.contains_weak(etag):
            return _cacheable(Response(status=304), etag)
        body = reading.document(scope, lambda values: _scope_text(namespace, env, scope, values).encode())
        return _cacheable(render.ready(body), etag)

    @routes.get(f"{_SCOPE}/<key>")
    def get_key(namespace: str, env: str, key: str) -> Response:
        door.parameters(request)
        row = reading.key(caller(), namespace, env, key)
        etag = f"v{row['version']}"
        if request.if_none_match.contains_weak(etag):
            return _cacheable(Response(status=304), etag)
        entry = messages.config_entry(row["type"], row["version"], row["value"])
        more = {
            "namespace": namespace,
            "env": env,
            "key": key,
            "revision": row["revision"],
            "cursor": cursors.render(row["revision"], row["hash"]),
            "changed_by": row["created_by"],
            "created_at": render.timestamp(row["created_at"]),
        }
        return _cacheable(render.ready(f"{strict_json.dumps(more)[:-1]},{entry[1:]}"), etag)

    return routes


def _scope_text(namespace: str, env: str, scope: Scope, values: str) -> str:
    head = {"namespace": namespace, "env": env, "revision": scope.label.revision, "cursor": scope.label.cursor}
    return f'{strict_json.dumps(head)[:-1]},"values":{values}}}'


def _cacheable(response: Response, etag: str) -> Response:
    response.headers["ETag"] = f'"{etag}"'
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response
