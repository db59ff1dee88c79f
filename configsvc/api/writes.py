"""Every write of settings: edits, batches, and the ways back. All of them end in the gate."""

from flask import Blueprint, Response, request

from configsvc.api import door, models, render
from configsvc.api.models import Change, NewRelease, Note, Promote, PutValue, Restore, Rollback, ScopeChanges
from configsvc.api.requests import caller
from configsvc.domain.releases import Edit
from configsvc.service.plans import Plans
from configsvc.service.promotions import Promotions, Wanted
from configsvc.service.releases import Releases
from configsvc.service.writes import Outcome, Terms, Write

_SCOPE = "/v1/namespaces/<namespace>/envs/<env>"


def blueprint(gate: Releases, plans: Plans, promotions: Promotions) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("writes", __name__)

    def terms(body: models.Write) -> Terms:
        return write_terms(gate, body.note, body.break_glass)

    @routes.put(f"{_SCOPE}/config/<key>")
    def put_key(namespace: str, env: str, key: str) -> Response:
        body = door.body(request, PutValue)
        write = Write(env, [Edit(namespace, key, body.value)], declare_type=body.type)
        return answer(gate.commit(caller(), write, terms(body)))

    @routes.delete(f"{_SCOPE}/config/<key>")
    def delete_key(namespace: str, env: str, key: str) -> Response:
        body = door.body(request, Note, optional=True)
        write = Write(env, [Edit(namespace, key, delete=True)])
        return answer(gate.commit(caller(), write, terms(body)))

    @routes.patch(f"{_SCOPE}/config")
    def patch_scope(namespace: str, env: str) -> Response:
        body = door.body(request, ScopeChanges)
        edits = [_edit(namespace, position, change) for position, change in enumerate(body.changes)]
        return answer(gate.commit(caller(), Write(env, edits), terms(body)))

    @routes.post("/v1/envs/<env>/releases")
    def post_release(env: str) -> Response:
        body = door.body(request, NewRelease)
        edits = [_edit(change.namespace, position, change) for position, change in enumerate(body.changes)]
        return answer(gate.commit(caller(), Write(env, edits), terms(body)))

    @routes.post(f"{_SCOPE}/config/<key>/rollback")
    def rollback(namespace: str, env: str, key: str) -> Response:
        body = door.body(request, Rollback)
        return answer(plans.rollback(caller(), namespace, env, key, body.version, terms(body)))

    @routes.post(f"{_SCOPE}/restore")
    def restore(namespace: str, env: str) -> Response:
        body = door.body(request, Restore)
        return answer(plans.restore(caller(), namespace, env, body.revision, terms(body)))

    @routes.post(f"{_SCOPE}/promote")
    def promote(namespace: str, env: str) -> Response:
        body = door.body(request, Promote)
        wanted = Wanted(body.from_, body.revision, body.keys, body.prune)
        return answer(promotions.promote(caller(), namespace, env, wanted, terms(body)))

    @routes.post("/v1/envs/<env>/releases/<revision>/undo")
    def undo(env: str, revision: str) -> Response:
        body = door.body(request, Note, optional=True)
        return answer(plans.undo(caller(), env, door.revision(revision), terms(body)))

    return routes


def write_terms(gate: Releases, note: str, break_glass: models.BreakGlass | None = None) -> Terms:
    """Return how this request wants its write, from its headers, its query and what its body says."""
    given = door.parameters(request, ("dry_run",))
    name = f"{request.method} {request.path}"
    idempotency = gate.idempotency(door.idempotency_key(request), name, request.get_data())
    reason = break_glass.reason if break_glass else None
    return Terms(note, door.condition(request), idempotency, door.flag(given, "dry_run"), reason)


def _edit(namespace: str, position: int, change: Change) -> Edit:
    return Edit(namespace, change.key, change.value, bool(change.delete), f"changes[{position}]")


def answer(outcome: Outcome) -> Response:
    """Return what a write answers."""
    response = render.json_response(outcome.answer)
    if outcome.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response
