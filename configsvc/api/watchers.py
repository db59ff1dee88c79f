"""Who runs what now."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, render
from configsvc.api.held import held
from configsvc.api.requests import again, caller
from configsvc.service.access import Authenticator
from configsvc.service.convergence import Convergence, Standing
from configsvc.service.watchers import Watchers

#: How long an answer may be held until all have a release; long enough for a laggard to sync of itself.
WAIT_S_MAX = 30
#: Milliseconds: more than reports can tell.
_TIME_DIGITS = 3


def blueprint(authenticator: Authenticator, watchers: Watchers, convergence: Convergence) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("watchers", __name__)

    @routes.get("/v1/envs/<env>/watchers")
    def list_watchers(env: str) -> Response:
        namespace = door.namespace(door.parameters(request, ("namespace",)))
        rows = watchers.live(caller(), env, namespace)
        return render.page([{**row, "last_seen": render.timestamp(row["last_seen"])} for row in rows], None)

    @routes.get("/v1/envs/<env>/releases/<revision>/convergence")
    def get_convergence(env: str, revision: str) -> Response:
        wait_s = door.number(door.parameters(request, ("wait",)), "wait", 0, 0, WAIT_S_MAX)
        who, authenticate, wanted = caller(), again(authenticator), door.revision(revision)
        return held(lambda: render.json_bytes(_standing(convergence.standing(who, authenticate, env, wanted, wait_s))))

    return routes


def _standing(standing: Standing) -> dict[str, object]:
    return {
        "watchers": standing.watchers,
        "applied": standing.applied,
        "converged": standing.converged,
        "laggards": [_client(row) for row in standing.laggards],
        "lost": [{**_client(row), "last_seen": render.timestamp(row["last_seen"])} for row in standing.lost],
        "rejected": [{**_client(row), "reason": row["rejected"]} for row in standing.rejected],
        "times": {
            name: None if time_s is None else round(time_s, _TIME_DIGITS) for name, time_s in standing.times.items()
        },
    }


def _client(row: Mapping[str, Any]) -> dict[str, object]:
    return {name: row[name] for name in ("client_id", "service", "host", "pid", "revision")}
