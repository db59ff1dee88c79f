"""Environments, for admins: made here, and protected here."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import caller, see
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, ValidationFailed
from configsvc.service.access import not_found
from configsvc.service.catalog import Catalog

Answer = Response | str | tuple[str, int]
APPROVALS_MAX = 10


def add(routes: Blueprint, catalog: Catalog) -> None:
    """Add the pages."""

    @routes.get("/envs", endpoint="environments")
    def show_all() -> Answer:
        return _page(catalog, {})

    @routes.post("/envs", endpoint="make_environment")
    def create() -> Answer:
        try:
            catalog.create_environment(caller(), {"name": request.form.get("name", "").strip(), **_wanted()})
        except ValidationFailed as error:
            return _page(catalog, dict(error.errors)), 422
        except Conflict as error:
            return _page(catalog, {"name": error.detail}), 409
        return see(url_for("ui.environments"))

    @routes.get("/envs/<env>", endpoint="environment")
    def show(env: str) -> Answer:
        return _one(catalog, env, {})

    @routes.post("/envs/<env>", endpoint="change_environment")
    def change(env: str) -> Answer:
        try:
            wanted = _wanted()
        except ValidationFailed as error:
            return _one(catalog, env, dict(error.errors)), 422
        if request.form.get("step") == "save":
            catalog.update_environment(caller(), env, wanted)
            return see(url_for("ui.environments"))
        return render_template(
            "confirm.html",
            title=f"Change {env}",
            says=_said(_environment(catalog, env), wanted),
            does="Change it",
            looks="primary",
            back=url_for("ui.environment", env=env),
            fields={name: value for name, value in request.form.items() if name not in ("csrf", "step")},
        )


def _page(catalog: Catalog, errors: Mapping[str, str]) -> str:
    caller().require(Action.ADMINISTER, None, None)
    envs = catalog.environments(caller())
    return render_template(
        "environments.html", envs=envs, typed=request.form, errors=errors, approvals_max=APPROVALS_MAX
    )


def _one(catalog: Catalog, env: str, errors: Mapping[str, str]) -> str:
    row = _environment(catalog, env)
    typed = request.form if errors else {**row, "protected": row["review_required"]}
    return render_template("environment.html", env=env, typed=typed, errors=errors, approvals_max=APPROVALS_MAX)


def _environment(catalog: Catalog, env: str) -> Mapping[str, Any]:
    caller().require(Action.ADMINISTER, None, None)
    row = next((row for row in catalog.environments(caller()) if row["name"] == env), None)
    if row is None:
        raise not_found(None, env)
    return row


def _wanted() -> dict[str, object]:
    """Return what was typed."""
    approvals = request.form.get("approvals", "1").strip()
    if not (
        approvals.isascii() and approvals.isdigit() and len(approvals) <= 2 and 1 <= int(approvals) <= APPROVALS_MAX
    ):
        raise ValidationFailed([("approvals", f"must be a number from 1 to {APPROVALS_MAX}")])
    try:
        description = values.note(request.form.get("description", ""))
    except ValidationFailed as error:
        raise ValidationFailed([("description", error.errors[0][1])]) from None
    return {
        "description": description,
        "review_required": "protected" in request.form,
        "approvals": int(approvals),
    }


def _said(row: Mapping[str, Any], wanted: Mapping[str, object]) -> str:
    """Say what a change means."""
    if wanted["review_required"]:
        people = "one other person has" if wanted["approvals"] == 1 else f"{wanted['approvals']} other people have"
        return f"Its settings then change only by a request that {people} approved."
    if row["review_required"]:
        return "It is no longer protected: its settings then change without anybody's approval."
    return "It stays unprotected: its settings change without anybody's approval."
