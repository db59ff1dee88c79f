"""Is the process up, and can it serve?"""

from flask import Blueprint, Response

from configsvc.api import render
from configsvc.errors import Unavailable
from configsvc.service.readiness import Probe


def blueprint(probe: Probe) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return render.json_response({"status": "ok"})

    @routes.get("/readyz")
    def readyz() -> Response:
        found = probe.readiness()
        if not found.ready:
            wrong = ", ".join(f"{part} is {state}" for part, state in found.parts.items() if state != "ok")
            raise Unavailable(f"not ready: {wrong}", parts=found.parts)
        status = "ready" if found.whole else "degraded"
        return render.json_response({"status": status, "parts": found.parts, "unpublished_s": found.unpublished_s})

    return routes
