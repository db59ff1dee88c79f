"""Is the process up, and can it serve?"""

from flask import Blueprint, Response

from configsvc.api import render
from configsvc.store import releases as store
from configsvc.store.database import Database


def blueprint(database: Database) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return render.json_response({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> Response:
        store.revisions(database)  # Unavailable becomes 503
        return render.json_response({"status": "ready"})

    return routes
