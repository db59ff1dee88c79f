"""Change requests: propose, look, edit, review, withdraw, apply."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, models, render
from configsvc.api.requests import caller
from configsvc.api.writes import answer, write_terms
from configsvc.domain import reviews
from configsvc.domain.comparisons import Promoted
from configsvc.domain.releases import Edit, SchemaEdit
from configsvc.errors import Malformed
from configsvc.service import answers
from configsvc.service.change_requests import ChangeRequests, Changes, Shown
from configsvc.service.releases import Releases
from configsvc.store.change_requests import Filter
from configsvc.store.database import Row

_REQUEST = "/v1/requests/<request_id>"


def blueprint(requests: ChangeRequests, gate: Releases) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("change_requests", __name__)

    @routes.post("/v1/envs/<env>/requests")
    def open_request(env: str) -> Response:
        door.parameters(request)
        body = door.body(request, models.NewRequest)
        shown = requests.open(caller(), env, _proposed(body.changes), body.note)
        return render.created(_document(shown), f"/v1/requests/{shown.request['id']}")

    @routes.get("/v1/requests")
    def list_requests() -> Response:
        before, limit = door.page(request, ("env", "namespace", "status", "author"))
        status = request.args.get("status")
        if status is not None and status not in reviews.STATUSES:
            raise Malformed(f"status must be one of {', '.join(reviews.STATUSES)}")
        wanted = Filter(door.env(request.args), door.namespace(request.args), status, door.word(request.args, "author"))
        rows, following = requests.page(caller(), wanted, before, limit)
        return render.page([_head(row) for row in rows], following)

    @routes.get(_REQUEST)
    def get_request(request_id: str) -> Response:
        door.parameters(request)
        return render.json_response(_document(requests.one(caller(), _number(request_id))))

    @routes.patch(_REQUEST)
    def edit_request(request_id: str) -> Response:
        door.parameters(request)
        body = door.body(request, models.RequestEdit)
        changes = _proposed(body.changes) if "changes" in body.model_fields_set else None
        note = body.note if "note" in body.model_fields_set else None
        return render.json_response(_document(requests.edit(caller(), _number(request_id), changes, note)))

    @routes.post(f"{_REQUEST}/reviews")
    def review(request_id: str) -> Response:
        door.parameters(request)
        body = door.body(request, models.Review)
        shown = requests.review(caller(), _number(request_id), body.decision, body.comment, body.digest)
        return render.json_response(_document(shown))

    @routes.post(f"{_REQUEST}/withdraw")
    def withdraw(request_id: str) -> Response:
        door.parameters(request)
        body = door.body(request, models.Comment, optional=True)
        return render.json_response(_document(requests.withdraw(caller(), _number(request_id), body.comment)))

    @routes.post(f"{_REQUEST}/apply")
    def apply(request_id: str) -> Response:
        door.body(request, models.Nothing, optional=True)
        return answer(requests.apply(caller(), _number(request_id), write_terms(gate, "")))

    return routes


def _number(text: str) -> int:
    return door.revision(text, "request")


def _proposed(changes: Sequence[models.ProposedChange]) -> Changes:
    edits, schemas, promoted = [], [], []
    for position, change in enumerate(changes):
        field = f"changes[{position}]"
        if change.promote_from:
            promoted.append(Promoted(change.namespace, change.key, change.promote_from, _revision(change), field))
        elif "schema_" in change.model_fields_set:
            schemas.append(SchemaEdit(change.namespace, change.key, change.schema_, field=field))
        else:
            edits.append(Edit(change.namespace, change.key, change.value, bool(change.delete), field))
    return Changes(edits, schemas, promoted)


def _revision(change: models.ProposedChange) -> int | None:
    return change.revision if "revision" in change.model_fields_set else None


def _head(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": row["id"],
        "env": row["env"],
        "status": row["status"],
        "edition": row["edition"],
        "author": row["author"],
        "note": row["note"],
        "namespaces": row["namespaces"],
        "base_revision": row["base"],
        "approvals": {"needed": row["approvals"], "by": row["approved_by"]},
        "void_reason": row["void_reason"],
        "revision": row["revision"],
        "created_at": render.timestamp(row["created_at"]),
        "updated_at": render.timestamp(row["updated_at"]),
    }


def _document(shown: Shown) -> dict[str, object]:
    pending = shown.request["status"] not in ("applied", "withdrawn")
    return {
        **_head(shown.request),
        "digest": shown.request["digest"].hex(),
        "changes": [_change(row) for row in shown.changes],
        "diff": [difference for row in shown.changes if pending and (difference := answers.against_live(row))],
        "watchers": shown.watchers,
        "reviews": [
            {
                "reviewer": row["reviewer"],
                "decision": row["decision"],
                "comment": row["comment"],
                "edition": row["edition"],
                "created_at": render.timestamp(row["created_at"]),
            }
            for row in shown.reviews
        ],
        "may": shown.may,
    }


def _change(row: Row) -> dict[str, object]:
    """Return one proposed change, as it was asked for, with what it was made on."""
    named: dict[str, object] = {"namespace": row["namespace"], "key": row["name"], "type": row["type"]}
    if row["new_schema"] is not None:
        return named | {"schema": json.loads(row["new_schema"])}
    base = answers.state(row["base_version"], row["base_value"], row["base_fingerprint"])
    source = {"env": row["source_env"], "revision": row["source_revision"]}
    return (
        named | answers.proposed_value(row) | {"base": base} | ({"promoted_from": source} if row["source_env"] else {})
    )
