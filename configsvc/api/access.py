"""Tokens, grants, and what the caller may do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, request

from configsvc.api import door, models, render
from configsvc.api.requests import caller
from configsvc.errors import Malformed, ValidationFailed
from configsvc.service.access import Permissions
from configsvc.service.tokens import Tokens, Wanted
from configsvc.store.access import NewGrant


def blueprint(tokens: Tokens, permissions: Permissions) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("access", __name__)

    @routes.get("/v1/me")
    def me() -> Response:
        given = door.parameters(request, ("namespace", "env"))
        namespace, env = door.namespace(given), door.env(given)
        if (namespace is None) is not (env is None):
            raise Malformed("give both namespace and env, or neither")
        who = caller().identity
        answer: dict[str, object] = {
            "name": who.name,
            "token_id": who.token_id,
            "principal": who.principal,
            "expires_at": who.expires_at and render.timestamp(who.expires_at),
            "grants": [
                {
                    "role": grant.role,
                    "namespaces": grant.namespaces,
                    "envs": None if grant.envs is None else sorted(grant.envs),
                }
                for grant in who.grants
            ],
            "may": permissions.at_all(caller())
            if namespace is None or env is None
            else permissions.here(caller(), namespace, env),
        }
        return render.json_response(answer)

    @routes.get("/v1/tokens")
    def list_tokens() -> Response:
        rows, following = tokens.page(caller(), *door.page(request))
        return render.page([_token(row) for row in rows], following)

    @routes.post("/v1/tokens")
    def create_token() -> Response:
        door.parameters(request)
        body = door.body(request, models.NewToken)
        wanted = Wanted(body.name, [_grant(grant) for grant in body.grants], _expiry(body.expires_at))
        made = tokens.create(caller(), wanted)
        document = {
            "id": made.id,
            "name": wanted.name,
            "token": made.secret,
            "grants": [grant.model_dump() for grant in body.grants],
            "created_at": render.timestamp(made.created_at),
            "expires_at": wanted.expires_at and render.timestamp(wanted.expires_at),
        }
        return render.created(document, f"/v1/tokens/{made.id}")

    @routes.delete("/v1/tokens/<token_id>")
    def revoke_token(token_id: str) -> Response:
        door.parameters(request)
        tokens.revoke(caller(), token_id)
        return Response(status=204)

    @routes.get("/v1/grants")
    def list_grants() -> Response:
        before, limit = door.page(request, ("token_id",))
        rows, following = tokens.grants(caller(), door.word(request.args, "token_id"), before, limit)
        return render.page([{**row, "created_at": render.timestamp(row["created_at"])} for row in rows], following)

    @routes.post("/v1/grants")
    def create_grant() -> Response:
        door.parameters(request)
        body = door.body(request, models.GrantForToken)
        row = tokens.grant(caller(), body.token_id, _grant(body))
        document = {**body.model_dump(), "id": row["id"], "created_at": render.timestamp(row["created_at"])}
        return render.created(document, f"/v1/grants/{row['id']}")

    @routes.delete("/v1/grants/<grant_id>")
    def delete_grant(grant_id: str) -> Response:
        door.parameters(request)
        tokens.ungrant(caller(), door.revision(grant_id, "grant"))
        return Response(status=204)

    return routes


def _grant(given: models.NewGrant) -> NewGrant:
    return NewGrant(given.role, given.namespaces, given.envs)


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    if (moment := door.parse_time(text)) is None:
        raise ValidationFailed([("expires_at", f"must be {door.TIME_RULE}")])
    return moment


def _token(row: Mapping[str, Any]) -> dict[str, object]:
    return {
        "id": row["id"],
        "name": row["name"],
        "principal": row["principal"],
        "grants": row["grants"],
        "created_by": row["created_by"],
        **{name: row[name] and render.timestamp(row[name]) for name in ("created_at", "expires_at", "last_used_at")},
    }
