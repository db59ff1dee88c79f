"""What was: versions of a key, releases of an environment, differences of a scope."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.requests import caller
from configsvc.domain import cursors
from configsvc.service import answers
from configsvc.service.history import History

_SCOPE = "/v1/namespaces/<namespace>/envs/<env>"


def blueprint(history: History) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("history", __name__)

    @routes.get(f"{_SCOPE}/config/<key>/versions")
    def list_versions(namespace: str, env: str, key: str) -> Response:
        before, limit = door.page(request)
        rows, following = history.versions(caller(), namespace, env, key, before, limit)
        return render.page([_version(row) for row in rows], following)

    @routes.get(f"{_SCOPE}/diff")
    def diff(namespace: str, env: str) -> Response:
        given = door.parameters(request, ("from", "to"))
        start = door.revision(given.get("from", ""), "from")
        end = door.revision(given["to"], "to") if "to" in given else None
        difference = history.compare(caller(), namespace, env, start, end)
        return render.json_response(
            {
                "namespace": namespace,
                "env": env,
                "from": difference.from_,
                "to": difference.to,
                "changes": [_difference(row) for row in difference.rows],
            }
        )

    @routes.get("/v1/envs/<env>/releases")
    def list_releases(env: str) -> Response:
        before, limit = door.page(request, ("namespace",))
        rows, following = history.releases(caller(), env, door.namespace(request.args), before, limit)
        return render.page([_release(row) for row in rows], following)

    @routes.get("/v1/envs/<env>/releases/<revision>")
    def get_release(env: str, revision: str) -> Response:
        door.parameters(request)
        row, changes = history.release(caller(), env, door.revision(revision))
        return render.json_response(
            {"env": env, **_release(row), "changes": [answers.stored_change(change) for change in changes]}
        )

    return routes


def _version(row: Mapping[str, Any]) -> dict[str, object]:
    value = {"value": None if row["value"] is None else answers.value(row["value"])}
    return {
        "version": row["version"],
        "revision": row["revision"],
        "type": row["type"],
        **(value if row["fingerprint"] is None else answers.secret(row["fingerprint"])),
        "active": row["is_active"],
        "deleted": row["deleted"],
        "changed_by": row["created_by"],
        "kind": row["kind"],
        "note": row["note"],
        "review": row["review"],
        "created_at": render.timestamp(row["created_at"]),
    }


def _release(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "revision": row["revision"],
        "cursor": cursors.render(row["revision"], row["hash"]),
        "kind": row["kind"],
        "note": row["note"],
        "namespaces": row["namespaces"],
        "changed_by": row["created_by"],
        "review": row["review"],
        "created_at": render.timestamp(row["created_at"]),
    }


def _difference(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "key": row["name"],
        "type": row["type"],
        "from": answers.state(row["from_version"], row["from_value"], row["from_fingerprint"]),
        "to": answers.state(row["to_version"], row["to_value"], row["to_fingerprint"]),
    }
