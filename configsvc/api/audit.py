"""Who did what, when; and the one place that records what was refused."""

from collections.abc import Callable

from flask import Blueprint, Response, g, request

from configsvc.api import addresses, door, render
from configsvc.api.requests import caller, is_reading
from configsvc.domain import names
from configsvc.errors import Forbidden, Hidden, Malformed, NotApproved, RequestError, ReviewRequired, Unauthenticated
from configsvc.service.audit import Audit, Refusal, Refusals
from configsvc.store.audit import Filter

_PATH_CHARACTERS_MAX = 500


def blueprint(audit: Audit) -> Blueprint:
    """Make the blueprint."""
    routes = Blueprint("audit", __name__)

    @routes.get("/v1/audit")
    def list_events() -> Response:
        before, limit = door.page(request, ("env", "namespace", "key", "actor", "action", "since", "until"))
        given = request.args.to_dict()
        if "key" in given and "namespace" not in given:
            raise Malformed("key goes with the namespace that it is declared in")
        wanted = Filter(
            door.env(given),
            door.namespace(given),
            door.key(given),
            door.word(given, "actor"),
            door.word(given, "action"),
            door.time_of(given, "since"),
            door.time_of(given, "until"),
        )
        rows, following = audit.page(caller(), wanted, before, limit)
        return render.page([{**row, "created_at": render.timestamp(row["created_at"])} for row in rows], following)

    return routes


def refusals(audit: Refusals) -> Callable[[RequestError], None]:
    """Return what records an error of this request, if it is a refused write or a failed authentication."""

    def note(error: RequestError) -> None:
        address = addresses.of(request.environ)
        if isinstance(error, Unauthenticated):
            audit.note(Refusal("", address, "authentication.failed", error.detail), g.request_id)
        elif (
            isinstance(error, Forbidden | Hidden | ReviewRequired | NotApproved) and not is_reading() and "caller" in g
        ):
            what = f"{request.method} {request.path[:_PATH_CHARACTERS_MAX]}: {error.code}"
            audit.note(Refusal(g.caller.name, address, "write.refused", what, *(error.place or _place())), g.request_id)

    return note


def _place() -> tuple[str | None, tuple[str, ...]]:
    """Return what the address names, where it can be a name at all."""
    named = request.view_args or {}
    env, namespace = named.get("env"), named.get("namespace")
    return (
        env if env is not None and names.ENV.fullmatch(env) else None,
        (namespace,) if namespace is not None and names.NAMESPACE.fullmatch(namespace) else (),
    )
