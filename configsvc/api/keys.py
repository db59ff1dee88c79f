"""Declared keys."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import KeyChange, NewKey, NewKeys
from configsvc.api.requests import caller
from configsvc.service.keys import Declaration, Keys
from configsvc.service.secrecy import Secrecy

_KEYS = "/v1/namespaces/<namespace>/keys"
_STAYS_READABLE = (
    "what the key was before stays readable in history and in backups: give it another value now, and end the old one "
    "where it is used"
)


def blueprint(keys: Keys, secrecy: Secrecy) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("keys", __name__)

    @routes.get(_KEYS)
    def list_keys(namespace: str) -> Response:
        rows, following = keys.page(caller(), namespace, *door.page(request))
        return render.page([_key(namespace, row) for row in rows], following)

    @routes.post(_KEYS)
    def declare_key(namespace: str) -> Response:
        door.parameters(request)
        body = door.body(request, NewKey)
        [row] = keys.declare(caller(), namespace, [_declaration(body)])
        return render.created(_key(namespace, row), f"/v1/namespaces/{namespace}/keys/{body.key}")

    @routes.patch(_KEYS)
    def declare_keys(namespace: str) -> Response:
        door.parameters(request)
        body = door.body(request, NewKeys)
        wanted = [_declaration(key, f"keys[{position}]") for position, key in enumerate(body.keys)]
        rows = keys.declare(caller(), namespace, wanted)
        return render.json_response({"items": [_key(namespace, row) for row in rows]})

    @routes.get(f"{_KEYS}/<key>")
    def get_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        return render.json_response(_key(namespace, keys.one(caller(), namespace, key)))

    @routes.patch(f"{_KEYS}/<key>")
    def change_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        body = door.body(request, KeyChange)
        changes = body.model_dump(by_alias=True, exclude_unset=True, exclude={"break_glass"})
        reason = body.break_glass.reason if body.break_glass else None
        if "secret" in changes:
            turned = secrecy.turn(caller(), namespace, key, body.secret, reason)
            return render.json_response(
                {
                    **_key(namespace, turned.key),
                    "releases": [{"env": env, "revision": revision} for env, revision in turned.releases],
                    "warning": _STAYS_READABLE if body.secret and turned.releases else None,
                }
            )
        return render.json_response(_key(namespace, keys.change(caller(), namespace, key, changes, reason)))

    @routes.delete(f"{_KEYS}/<key>")
    def delete_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        keys.delete(caller(), namespace, key)
        return Response(status=204)

    return routes


def _declaration(body: NewKey, field: str = "") -> Declaration:
    return Declaration(body.key, body.type, body.description, body.secret, body.schema_, field)


def _key(namespace: str, row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "namespace": namespace,
        "key": row["name"],
        "type": row["type"],
        "description": row["description"],
        "secret": row["secret"],
        "schema": None if row["schema"] is None else json.loads(str(row["schema"])),
        "created_by": row["created_by"],
        "created_at": render.timestamp(row["created_at"]),
    }
