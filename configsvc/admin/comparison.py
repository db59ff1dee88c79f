"""What was: an environment at two of its releases, a namespace as of a time, and restoring either."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.going_back import difference, go_back
from configsvc.admin.guard import caller
from configsvc.admin.paging import every_page, number
from configsvc.admin.rendering import shown
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, ValidationFailed
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.comparisons import Comparisons
from configsvc.service.history import History
from configsvc.service.plans import Plans
from configsvc.store.database import Row

Answer = Response | str | tuple[str, int]
#: As of now: whatever the clocks of service and database say.
_NEVER_LATER = datetime.max.replace(tzinfo=UTC)


def add(
    routes: Blueprint,
    catalog: Catalog,
    history: History,
    comparisons: Comparisons,
    plans: Plans,
    requests: ChangeRequests,
) -> None:
    """Add the pages."""

    @routes.get("/envs/<env>/compare", endpoint="compare")
    def compare(env: str) -> Answer:
        try:
            from_ = _revision(history, env, "from")
            to = _revision(history, env, "to") if request.args.get("to") else None
        except ValidationFailed as error:
            return _compared(catalog, history, env, None, None, dict(error.errors)), 422
        return _compared(catalog, history, env, from_, to, {})

    @routes.get("/envs/<env>/state", endpoint="state")
    def state(env: str) -> Answer:
        return _state(catalog, history, comparisons, env)

    @routes.post("/envs/<env>/restore", endpoint="restore")
    def restore(env: str) -> Answer:
        who, revision = caller(), number(request.form.get("revision"), 0)
        namespace = request.form.get("namespace", "")
        fields: dict[str, Any] = {"revision": revision, "namespace": namespace}
        shown_by: dict[str, Any] = {"from": revision, "namespace": namespace or None}
        try:
            return go_back(
                requests,
                who,
                lambda terms: (
                    plans.restore(who, namespace, env, revision, terms)
                    if namespace
                    else plans.restore_env(who, env, revision, terms)
                ),
                f"Restore {namespace + ' in ' if namespace else ''}{env} to release {revision}",
                url_for("ui.compare", env=env, **shown_by),
                **fields,
            )
        except (Conflict, ValidationFailed) as error:
            return _compared(catalog, history, env, revision, None, {}, namespace, error.detail), 409


def _revision(history: History, env: str, field: str) -> int:
    """Return the revision that somebody typed, as its number or as a time; without anything, the newest."""
    text = request.args.get(field, "").strip()
    if text.isascii() and text.isdigit():
        return history.revision_at(caller(), env, number(text))
    moment = values.time(text, field)
    return history.revision_at(caller(), env, moment or _NEVER_LATER)


def _state(catalog: Catalog, history: History, comparisons: Comparisons, env: str) -> Answer:
    who, errors, rows, revision = caller(), {}, None, None
    namespaces = _namespaces(catalog, env)
    namespace = request.args.get("namespace") or (namespaces[0] if namespaces else "")
    try:
        revision = _revision(history, env, "as_of")
        state = comparisons.state(who, namespace, env, revision)
        rows = [{**row, "text": _shown(row)} for row in state.rows.values()]
    except ValidationFailed as error:
        errors = dict(error.errors)
    page = render_template(
        "state.html",
        env=env,
        namespaces=namespaces,
        namespace=namespace,
        revision=revision,
        rows=rows,
        errors=errors,
        may=who.may(Action.PROPOSE, namespace, env),
    )
    return page, 422 if errors else 200


def _shown(row: Row) -> str:
    return f"•••• {row['fingerprint']}" if row["fingerprint"] else shown(row["value"], row["type"])


def _namespaces(catalog: Catalog, env: str) -> list[str]:
    who = caller()
    pages = every_page(lambda before, limit: catalog.namespaces(who, before, limit))
    return sorted(row["name"] for row in pages if who.may(Action.READ, row["name"], env))


def _compared(
    catalog: Catalog,
    history: History,
    env: str,
    from_: int | None,
    to: int | None,
    errors: dict[str, str],
    namespace: str | None = None,
    problem: str = "",
) -> str:
    who, namespace = caller(), namespace or request.args.get("namespace", "")
    found = None
    if from_ is not None and namespace:
        one = history.compare(who, namespace, env, from_, to)
        found = (one.from_, one.to, [difference(namespace, row) for row in one.rows])
    elif from_ is not None:
        all_ = history.compare_env(who, env, from_, to)
        found = (all_.from_, all_.to, [difference(name, row) for name, rows in all_.scopes.items() for row in rows])
    return render_template(
        "compare.html",
        env=env,
        namespaces=_namespaces(catalog, env),
        namespace=namespace,
        found=found,
        errors=errors,
        problem=problem,
        may=who.may(Action.PROPOSE, namespace or None, env),
    )
