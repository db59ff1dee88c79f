"""What was, who changed it, and the ways back: a preview of each, then a new release."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin.going_back import difference, go_back
from configsvc.admin.guard import caller, see
from configsvc.admin.paging import ITEMS, number
from configsvc.admin.rendering import shown
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, Malformed, NotFound, ValidationFailed
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.history import History
from configsvc.service.plans import Plans

Answer = Response | str | tuple[str, int]
#: Settings of a release that the timeline names; its own page has all.
_CHANGED_MAX = 3


def add(routes: Blueprint, catalog: Catalog, history: History, plans: Plans, requests: ChangeRequests) -> None:
    """Add the pages."""

    @routes.get("/history", endpoint="history")
    def first() -> Answer:
        envs = catalog.environments(caller())
        if not envs:
            raise NotFound("there is no environment that you may read")
        return see(url_for("ui.env_history", env=envs[0]["name"]))

    @routes.get("/envs/<env>/history", endpoint="env_history")
    def timeline(env: str) -> Answer:
        return _timeline(catalog, history, env)

    @routes.get("/envs/<env>/releases/<revision>", endpoint="release")
    def release(env: str, revision: str) -> Answer:
        return _release(history, env, number(revision))

    @routes.post("/envs/<env>/releases/<revision>/undo", endpoint="undo")
    def undo(env: str, revision: str) -> Answer:
        who, number_ = caller(), number(revision)
        try:
            return go_back(
                requests,
                who,
                lambda terms: plans.undo(who, env, number_, terms),
                f"Undo release {number_} of {env}",
                url_for("ui.release", env=env, revision=number_),
            )
        except (Conflict, ValidationFailed) as error:
            return _release(history, env, number_, problem=error.detail), 409

    @routes.get("/namespaces/<namespace>/<env>/<key>/history", endpoint="key_history")
    def versions(namespace: str, env: str, key: str) -> Answer:
        return _versions(history, namespace, env, key)

    @routes.post("/namespaces/<namespace>/<env>/<key>/rollback", endpoint="rollback")
    def rollback(namespace: str, env: str, key: str) -> Answer:
        who, version = caller(), number(request.form.get("version"), 0)
        if version >= 2**31:
            raise NotFound("there is no such version")
        try:
            return go_back(
                requests,
                who,
                lambda terms: plans.rollback(who, namespace, env, key, version, terms),
                f"Put {namespace}/{key} back to version {version} in {env}",
                url_for("ui.key_history", namespace=namespace, env=env, key=key),
                version=version,
            )
        except (Conflict, ValidationFailed) as error:
            return _versions(history, namespace, env, key, problem=error.detail), 409


def _timeline(catalog: Catalog, history: History, env: str) -> str:
    who, namespace = caller(), request.args.get("namespace") or None
    before = _end_of_day(history, env) if request.args.get("on") else number(request.args.get("before"))
    envs = catalog.environments(who)  # before the releases: what comes in between is news
    releases, following = history.releases(who, env, namespace, before, ITEMS)
    changed = history.changed(env, releases, _CHANGED_MAX + 1)
    return render_template(
        "timeline.html",
        env=env,
        envs=envs,
        namespace=namespace,
        releases=[{**release, **_named(changed.get(release["revision"], ()))} for release in releases],
        following=following,
        start="before" in request.args or bool(request.args.get("on")),
    )


def _named(changed: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    return {"changed": [row["name"] for row in changed[:_CHANGED_MAX]], "more": len(changed) > _CHANGED_MAX}


def _end_of_day(history: History, env: str) -> int:
    """Return where the page begins that shows a day and what was before it."""
    try:
        day = date.fromisoformat(request.args.get("on", ""))
        end = datetime.combine(day, time.max, UTC)
    except ValueError:
        raise Malformed("a day is written as 2026-11-24") from None
    return history.revision_at(caller(), env, end) + 1


def _release(history: History, env: str, revision: int, problem: str = "") -> str:
    who = caller()
    release, _ = history.release(who, env, revision)
    namespaces: Any = release["namespaces"]
    diff = [
        difference(namespace, row)
        for namespace in namespaces
        for row in history.compare(who, namespace, env, revision - 1, revision).rows
    ]
    may = all(who.may(Action.PROPOSE, namespace, env) for namespace in namespaces)
    return render_template("release.html", env=env, release=release, diff=diff, may=may, problem=problem)


def _versions(history: History, namespace: str, env: str, key: str, problem: str = "") -> str:
    who, before = caller(), number(request.args.get("before"))
    rows, following = history.versions(who, namespace, env, key, before, ITEMS)
    lines = [
        {**row, "text": f"•••• {row['fingerprint']}" if row["fingerprint"] else shown(row["value"], row["type"])}
        for row in rows
    ]
    return render_template(
        "versions.html",
        namespace=namespace,
        env=env,
        key=key,
        lines=lines,
        following=following,
        start="before" in request.args,
        may=who.may(Action.PROPOSE, namespace, env),
        problem=problem,
    )
