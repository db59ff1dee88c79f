"""``S/config``: read and change settings."""

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import NewRelease, Note, PutValue, ScopeChanges
from configsvc.api.requests import caller
from configsvc.domain import cursors, messages, strict_json
from configsvc.domain.releases import Edit
from configsvc.service.reading import Reading
from configsvc.service.releases import Releases, Write

_SCOPE = "/v1/namespaces/<namespace>/envs/<env>/config"


def blueprint(reading: Reading, releases: Releases) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("settings", __name__)

    @routes.get(_SCOPE)
    def get_scope(namespace: str, env: str) -> Response:
        door.parameters(request)
        scope = reading.scope(caller(), namespace, env)
        etag = f"r{scope.label.cursor}{'.m' if scope.masked else ''}"
        if etag in request.if_none_match:
            response = Response(status=304)
        else:
            head = {
                "namespace": namespace,
                "env": env,
                "revision": scope.label.revision,
                "cursor": scope.label.cursor,
            }
            response = render.ready(f'{strict_json.dumps(head)[:-1]},"values":{reading.values(scope)}}}')
        return _cacheable(response, etag)

    @routes.get(f"{_SCOPE}/<key>")
    def get_key(namespace: str, env: str, key: str) -> Response:
        door.parameters(request)
        row = reading.key(caller(), namespace, env, key)
        etag = f"v{row['version']}"
        if etag in request.if_none_match:
            return _cacheable(Response(status=304), etag)
        entry = messages.config_entry(row["type"], row["version"], row["value"])
        more = {
            "namespace": namespace,
            "env": env,
            "key": key,
            "revision": row["revision"],
            "cursor": cursors.render(row["revision"], row["hash"]),
            "changed_at_revision": row["changed_at_revision"],
            "changed_by": row["created_by"],
            "created_at": render.timestamp(row["created_at"]),
        }
        return _cacheable(render.ready(f"{strict_json.dumps(more)[:-1]},{entry[1:]}"), etag)

    @routes.put(f"{_SCOPE}/<key>")
    def put_key(namespace: str, env: str, key: str) -> Response:
        body = door.body(request, PutValue)
        return commit(env, [Edit(namespace, key, body.value)], body.note, body.type)

    @routes.delete(f"{_SCOPE}/<key>")
    def delete_key(namespace: str, env: str, key: str) -> Response:
        body = door.body(request, Note, optional=True)
        return commit(env, [Edit(namespace, key, delete=True)], body.note)

    @routes.patch(_SCOPE)
    def patch_scope(namespace: str, env: str) -> Response:
        body = door.body(request, ScopeChanges)
        edits = [
            Edit(namespace, change.key, change.value, bool(change.delete), f"changes[{position}]")
            for position, change in enumerate(body.changes)
        ]
        return commit(env, edits, body.note)

    @routes.post("/v1/envs/<env>/releases")
    def post_release(env: str) -> Response:
        body = door.body(request, NewRelease)
        edits = [
            Edit(change.namespace, change.key, change.value, bool(change.delete), f"changes[{position}]")
            for position, change in enumerate(body.changes)
        ]
        return commit(env, edits, body.note)

    def commit(env: str, edits: list[Edit], note: str, declare_type: str | None = None) -> Response:
        door.parameters(request)
        idempotency = releases.idempotency(
            door.idempotency_key(request), f"{request.method} {request.path}", request.get_data()
        )
        write = Write(env, edits, note, door.condition(request), idempotency, declare_type)
        outcome = releases.commit(caller(), write)
        response = render.json_response(outcome.answer)
        if outcome.replayed:
            response.headers["Idempotent-Replayed"] = "true"
        return response

    return routes


def _cacheable(response: Response, etag: str) -> Response:
    response.set_etag(etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response
