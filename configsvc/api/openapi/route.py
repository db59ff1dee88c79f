"""``GET /openapi.json``."""

from functools import cache

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.openapi import document as openapi
from configsvc.domain import strict_json


@cache
def _text() -> str:
    return strict_json.dumps(openapi.document())


def blueprint() -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("openapi", __name__)

    @routes.get("/openapi.json")
    def document() -> Response:
        door.parameters(request)
        return render.ready(_text())

    return routes
