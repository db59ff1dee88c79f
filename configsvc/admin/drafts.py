"""The draft of an environment: what was collected, what it would do, and then doing it as one release."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import caller, see, session_id
from configsvc.admin.paging import number
from configsvc.errors import Conflict, RevisionMismatch, ValidationFailed
from configsvc.service import answers
from configsvc.service.access import not_found
from configsvc.service.catalog import Catalog
from configsvc.service.drafts import Draft, Drafts
from configsvc.store.database import Row

Answer = Response | str | tuple[str, int]
_Problems = Mapping[str, str]


def add(routes: Blueprint, catalog: Catalog, drafts: Drafts) -> None:
    """Add the page, and the bar that all pages have."""
    routes.app_context_processor(lambda: {"drafts": lambda: drafts.counts(caller(), session_id())})

    @routes.get("/envs/<env>/draft", endpoint="draft")
    def show(env: str) -> Answer:
        return _page(catalog, drafts, env, {})

    @routes.post("/envs/<env>/draft", endpoint="change_draft")
    def change(env: str) -> Answer:
        step, note = request.form.get("step", ""), request.form.get("note", "")
        if step != "save":
            _collect(drafts, drafts.of(caller(), session_id(), env), step)
            return see(url_for("ui.draft", env=env))
        try:
            return see(_save(drafts, env, review=_is_protected(catalog, env)))
        except ValidationFailed as error:
            return _page(catalog, drafts, env, _by_change(error), note), 422
        except Conflict as error:
            return _page(catalog, drafts, env, {"": error.detail}, note), 409
        except RevisionMismatch:
            return _page(catalog, drafts, env, {}, note), 412


def _page(catalog: Catalog, drafts: Drafts, env: str, problems: _Problems, note: str = "") -> str:
    who, protected, seen = caller(), _is_protected(catalog, env), None
    draft = drafts.of(who, session_id(), env)
    if draft.changes and not draft.conflicts:
        try:
            seen = drafts.preview(who, draft)
        except (ValidationFailed, RevisionMismatch) as error:
            problems = {**_by_change(error), **problems}
    return render_template(
        "draft.html",
        env=env,
        protected=protected,
        draft=draft,
        lines=_lines(draft),
        seen=seen,
        problems=problems,
        note=note,
    )


def _is_protected(catalog: Catalog, env: str) -> bool:
    for row in catalog.environments(caller()):
        if row["name"] == env:
            return bool(row["review_required"])
    raise not_found(None, env)


def _collect(drafts: Drafts, draft: Draft, step: str) -> None:
    """Take changes out of the draft, or decide a conflict."""
    if step == "discard":
        drafts.take_out(session_id(), [row["id"] for row in draft.changes])
    elif step == "take-out":
        drafts.take_out(session_id(), [number(request.form.get("change"), 0)])
    elif step == "keep":
        drafts.keep_mine(session_id(), number(request.form.get("change"), 0), number(request.form.get("seen"), 0))


def _save(drafts: Drafts, env: str, *, review: bool) -> str:
    """Save the draft, or propose it; return where to go then."""
    note, edition = values.note(request.form.get("note", "")), request.form.get("edition", "")
    if review:
        opened = drafts.propose(caller(), session_id(), env, edition, note)
        return url_for("ui.request", request_id=opened.request["id"])
    done = drafts.save(caller(), session_id(), env, edition, note).answer
    return url_for("ui.release", env=env, revision=done["revision"])


def _by_change(error: ValidationFailed | RevisionMismatch) -> _Problems:
    """Return what is wrong by the number of the change, "note", or "" for what is about none."""
    if isinstance(error, RevisionMismatch):
        return {"": error.detail}
    problems = {}
    for field, message in error.errors:
        change = field.partition(".")[0]
        problems[change if change.isdigit() or change == "note" else ""] = message
    return problems


def _lines(draft: Draft) -> list[Mapping[str, Any]]:
    """Return each change for the table: what is live, what is wanted, and what it was when that was written."""
    conflicts = {row["id"] for row in draft.conflicts}
    return [
        {
            **row,
            "now": answers.state(row["live_version"], row["live_value"], row["live_fingerprint"]),
            "mine": _wanted(row),
            "base": answers.state(row["base_version"], row["base_value"], row["base_fingerprint"]),
            "conflict": row["id"] in conflicts,
        }
        for row in draft.changes
    ]


def _wanted(row: Row) -> Mapping[str, object] | None:
    wanted = answers.proposed_value(row)
    return None if "delete" in wanted else wanted
