"""Namespaces, environments and declared keys."""

from collections.abc import Mapping

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import EnvironmentChange, KeyChange, NewEnvironment, NewKey, NewNamespace
from configsvc.api.requests import caller
from configsvc.service.catalog import Catalog

_KEYS = "/v1/namespaces/<namespace>/keys"


def blueprint(catalog: Catalog) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("catalog", __name__)

    @routes.get("/v1/namespaces")
    def list_namespaces() -> Response:
        rows, following = catalog.namespaces(caller(), *door.page(request))
        return render.page([_namespace(row) for row in rows], following)

    @routes.post("/v1/namespaces")
    def create_namespace() -> Response:
        door.parameters(request)
        body = door.body(request, NewNamespace)
        row = catalog.create_namespace(caller(), body.name, body.description)
        return render.created(_namespace(row), f"/v1/namespaces/{body.name}/keys")

    @routes.get("/v1/envs")
    def list_environments() -> Response:
        door.parameters(request)
        return render.page(catalog.environments(caller()), None)

    @routes.post("/v1/envs")
    def create_environment() -> Response:
        door.parameters(request)
        body = door.body(request, NewEnvironment)
        return render.created(catalog.create_environment(caller(), body.model_dump()), f"/v1/envs/{body.name}")

    @routes.patch("/v1/envs/<env>")
    def update_environment(env: str) -> Response:
        door.parameters(request)
        body = door.body(request, EnvironmentChange)
        return render.json_response(catalog.update_environment(caller(), env, body.model_dump()))

    @routes.get(_KEYS)
    def list_keys(namespace: str) -> Response:
        rows, following = catalog.keys(caller(), namespace, *door.page(request))
        return render.page([_key(namespace, row) for row in rows], following)

    @routes.post(_KEYS)
    def declare_key(namespace: str) -> Response:
        door.parameters(request)
        body = door.body(request, NewKey)
        row = catalog.declare_key(
            caller(), namespace, body.key, type_=body.type, description=body.description, secret=body.secret
        )
        return render.created(_key(namespace, row), f"/v1/namespaces/{namespace}/keys/{body.key}")

    @routes.get(f"{_KEYS}/<key>")
    def get_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        return render.json_response(_key(namespace, catalog.key(caller(), namespace, key)))

    @routes.patch(f"{_KEYS}/<key>")
    def describe_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        body = door.body(request, KeyChange)
        return render.json_response(_key(namespace, catalog.describe_key(caller(), namespace, key, body.description)))

    @routes.delete(f"{_KEYS}/<key>")
    def delete_key(namespace: str, key: str) -> Response:
        door.parameters(request)
        catalog.delete_key(caller(), namespace, key)
        return Response(status=204)

    return routes


def _namespace(row: Mapping[str, object]) -> dict[str, object]:
    return {
        "name": row["name"],
        "description": row["description"],
        "created_by": row["created_by"],
        "created_at": render.timestamp(row["created_at"]),
    }


def _key(namespace: str, row: Mapping[str, object]) -> dict[str, object]:
    return {
        "namespace": namespace,
        "key": row["name"],
        "type": row["type"],
        "description": row["description"],
        "secret": row["secret"],
        "created_by": row["created_by"],
        "created_at": render.timestamp(row["created_at"]),
    }
