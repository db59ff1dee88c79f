"""Namespaces and environments."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.models import EnvironmentChange, NewEnvironment, NewNamespace
from configsvc.api.requests import caller
from configsvc.service.catalog import Catalog


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

    return routes


def _namespace(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "name": row["name"],
        "description": row["description"],
        "created_by": row["created_by"],
        "created_at": render.timestamp(row["created_at"]),
    }
