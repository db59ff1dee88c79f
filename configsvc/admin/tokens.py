"""Tokens and what they may do, for admins. A new token's secret is on one page, once."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import caller, see
from configsvc.admin.paging import ITEMS, every_page, number
from configsvc.domain.policy import ROLES, Action
from configsvc.errors import Conflict, NotFound, ValidationFailed
from configsvc.service.access import Caller
from configsvc.service.catalog import Catalog
from configsvc.service.tokens import Tokens, Wanted
from configsvc.store.access import NewGrant

Answer = Response | str | tuple[str, int]
_NAME_CHARACTERS_MAX = 100


def add(routes: Blueprint, tokens: Tokens, catalog: Catalog) -> None:
    """Add the pages."""

    @routes.get("/tokens", endpoint="tokens")
    def show_all() -> Answer:
        rows, following = tokens.page(caller(), number(request.args.get("before")), ITEMS)
        return render_template("tokens.html", rows=rows, following=following, start="before" in request.args)

    @routes.get("/tokens/new", endpoint="new_token")
    def form() -> Answer:
        caller().require(Action.ADMINISTER, None, None)
        return _form(catalog, {})

    @routes.post("/tokens/new", endpoint="make_token")
    def create() -> Answer:
        try:
            made = tokens.create(caller(), _wanted())
        except ValidationFailed as error:
            return _form(catalog, _by_field(error)), 422
        except Conflict as error:
            return _form(catalog, {"name": error.detail}), 409
        return render_template("token_made.html", made=made, name=request.form["name"].strip()), 201

    @routes.get("/tokens/<token_id>", endpoint="token")
    def show(token_id: str) -> Answer:
        return _page(tokens, catalog, token_id, {})

    @routes.post("/tokens/<token_id>/grants", endpoint="add_grant")
    def grant(token_id: str) -> Answer:
        try:
            tokens.grant(caller(), token_id, _grant())
        except ValidationFailed as error:
            return _page(tokens, catalog, token_id, _by_field(error)), 422
        return see(url_for("ui.token", token_id=token_id))

    _add_ends(routes, tokens)


def _add_ends(routes: Blueprint, tokens: Tokens) -> None:
    """Add what takes something away: each asks first."""

    @routes.post("/tokens/<token_id>/grants/<grant_id>/remove", endpoint="remove_grant")
    def ungrant(token_id: str, grant_id: str) -> Answer:
        token, back = _token(tokens, caller(), token_id), url_for("ui.token", token_id=token_id)
        grant = next((grant for grant in token["grants"] if grant["id"] == number(grant_id)), None)
        if grant is None:
            raise NotFound(f"{token['name']} has no grant {grant_id}")
        if request.form.get("step") == "save":
            tokens.ungrant(caller(), grant["id"])
            return see(back)
        title = f"Take the role {grant['role']} back from {token['name']}"
        says = "What only this grant allows ends at once for writes, and within seconds for reads."
        return render_template("confirm.html", title=title, says=says, does="Take back", back=back)

    @routes.post("/tokens/<token_id>/revoke", endpoint="revoke_token")
    def revoke(token_id: str) -> Answer:
        token = _token(tokens, caller(), token_id)
        if request.form.get("step") == "save":
            tokens.revoke(caller(), token_id)
            return see(url_for("ui.tokens"))
        says = "It ends at once for writes, within seconds for reads, and for good: who uses it needs another one."
        if token_id == caller().identity.token_id:
            says += " You are signed in with it: this signs you out."
        back = url_for("ui.token", token_id=token_id)
        return render_template("confirm.html", title=f"Revoke {token['name']}", says=says, does="Revoke", back=back)


def _token(tokens: Tokens, who: Caller, token_id: str) -> Mapping[str, Any]:
    for row in every_page(partial(tokens.page, who)):
        if row["id"] == token_id:
            return row
    raise NotFound(f"there is no live token {token_id}")


def _page(tokens: Tokens, catalog: Catalog, token_id: str, errors: Mapping[str, str]) -> str:
    who = caller()
    return render_template(
        "token.html",
        token=_token(tokens, who, token_id),
        roles=ROLES,
        envs=catalog.environments(who),
        typed=request.form,
        errors=errors,
    )


def _form(catalog: Catalog, errors: Mapping[str, str]) -> str:
    envs = catalog.environments(caller())
    return render_template("token_new.html", roles=ROLES, envs=envs, typed=request.form, errors=errors)


def _wanted() -> Wanted:
    """Return the token that was typed."""
    name = request.form.get("name", "").strip()
    if not 1 <= len(name) <= _NAME_CHARACTERS_MAX or not name.isprintable():
        raise ValidationFailed([("name", f"must have 1 to {_NAME_CHARACTERS_MAX} characters, and none that control")])
    return Wanted(name, [_grant()], values.time(request.form.get("expires_at"), "expires_at"))


def _grant() -> NewGrant:
    """Return the grant that was typed."""
    envs, everywhere = request.form.getlist("env"), request.form.get("where") == "all"
    if everywhere is bool(envs):
        raise ValidationFailed([("envs", "choose some, or all of them")])
    namespaces = request.form.get("namespaces", "").strip()
    return NewGrant(request.form.get("role", ""), namespaces, None if everywhere else envs)


def _by_field(error: ValidationFailed) -> dict[str, str]:
    """Return what is wrong by the field of the form, wherever the service has that."""
    return {path.rpartition(".")[2]: said for path, said in error.errors}
