"""Who runs what now."""

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.requests import caller
from configsvc.service.watchers import Watchers


def blueprint(watchers: Watchers) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("watchers", __name__)

    @routes.get("/v1/envs/<env>/watchers")
    def list_watchers(env: str) -> Response:
        namespace = door.parameters(request, ("namespace",)).get("namespace")
        rows = watchers.live(caller(), env, namespace)
        return render.page([{**row, "last_seen": render.timestamp(row["last_seen"])} for row in rows], None)

    return routes
