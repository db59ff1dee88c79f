"""One setting in one environment: what it is, another value for it, what that would do, and then doing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import inputs, values
from configsvc.admin.guard import caller, see, session_id
from configsvc.admin.paging import BEGINNING
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit
from configsvc.errors import RevisionMismatch, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests, Changes
from configsvc.service.drafts import Draft, Drafts
from configsvc.service.history import History
from configsvc.service.keys import Keys
from configsvc.service.releases import Releases
from configsvc.service.writes import Condition, Terms, Write

Answer = Response | str | tuple[str, int]


@dataclass(frozen=True)
class Setting:
    """A key in an environment as it is now. ``last``: its newest version, None before the first."""

    namespace: str
    env: str
    key: Mapping[str, Any]
    protected: bool
    last: Mapping[str, Any] | None

    @property
    def version(self) -> int:
        """The active version, 0 where it is unset: what a change is made on."""
        return self.last["version"] if self.last and self.last["active"] else 0

    @property
    def is_secret(self) -> bool:
        """Whether its value is never shown."""
        return bool(self.key["secret"] or (self.last and self.last["fingerprint"]))


@dataclass(frozen=True)
class Typed:
    """What the form holds, as it was typed, or as the draft has it. ``base``: the version that it was made on."""

    value: str
    quoted: bool
    unset: bool
    note: str
    base: int
    drafted: bool = False


def add(
    routes: Blueprint,
    keys: Keys,
    catalog: Catalog,
    history: History,
    gate: Releases,
    requests: ChangeRequests,
    drafts: Drafts,
) -> None:
    """Add the pages."""

    def setting_of(who: Caller, namespace: str, env: str, key: str) -> Setting:
        rows, _ = history.versions(who, namespace, env, key, BEGINNING, 1)
        declared = keys.one(who, namespace, key)
        protected = [row["review_required"] for row in catalog.environments(who) if row["name"] == env]
        if not protected:
            raise not_found(namespace, env)
        last = {**rows[0], "active": rows[0]["is_active"] and not rows[0]["deleted"]} if rows else None
        return Setting(namespace, env, declared, protected[0], last)

    @routes.get("/namespaces/<namespace>/<env>/<key>", endpoint="setting")
    def show(namespace: str, env: str, key: str) -> Answer:
        setting = setting_of(caller(), namespace, env, key)
        return _form(setting, _drafted(setting, drafts.of(caller(), session_id(), env)), {})

    @routes.post("/namespaces/<namespace>/<env>/<key>", endpoint="edit_setting")
    def edit(namespace: str, env: str, key: str) -> Answer:
        who = caller()
        setting, typed = setting_of(who, namespace, env, key), _typed()
        step = request.form.get("step", "preview")
        if step not in ("preview", "draft", "save"):
            return _form(setting, typed, {})
        try:
            wanted = _edit(setting, typed)
            if step == "draft":
                drafts.add(who, session_id(), env, wanted, typed.base)
                return see(url_for("ui.namespace", namespace=namespace, _anchor=f"k:{key}"))
            terms = Terms(values.note(typed.note), Condition(version=typed.base), dry_run=True)
            seen = gate.commit(who, Write(env, [wanted]), terms).answer
            if step == "preview":
                return render_template("edit_preview.html", setting=setting, typed=typed, seen=seen)
            if setting.protected:
                shown = requests.open(who, env, Changes([wanted]), terms.note)
                return see(url_for("ui.request", request_id=shown.request["id"]))
            done = gate.commit(who, Write(env, [wanted]), Terms(terms.note, terms.condition)).answer
        except ValidationFailed as error:
            return _form(setting, typed, _by_field(error)), 422
        except RevisionMismatch:
            return _form(setting, typed, {}, overtaken=True), 412
        if not done["changed"]:
            return see(url_for("ui.setting", namespace=namespace, env=env, key=key))
        return see(url_for("ui.release", env=env, revision=done["revision"]))


def _typed() -> Typed:
    given = request.form
    base = given.get("base", "")
    return Typed(
        given.get("value", ""),
        "quoted" in given,
        "unset" in given,
        given.get("note", ""),
        int(base) if base.isascii() and base.isdigit() and len(base) < 10 else 0,
    )


def _drafted(setting: Setting, draft: Draft) -> Typed | None:
    """Return what the draft has for a setting, as the form shows it; None where that is nothing, or a secret."""
    type_ = setting.key["type"]
    for row in draft.changes:
        if (row["namespace"], row["name"]) == (setting.namespace, setting.key["name"]) and row["value"] is not None:
            text = row["value"]
            return Typed(
                values.to_edit(text, type_), values.is_quoted(text, type_), False, "", setting.version, drafted=True
            )
    return None


def _edit(setting: Setting, typed: Typed) -> Edit:
    name = setting.key["name"]
    if typed.unset:
        return Edit(setting.namespace, name, delete=True)
    return Edit(setting.namespace, name, values.parse(typed.value, setting.key["type"], quoted=typed.quoted))


def _by_field(error: ValidationFailed) -> Mapping[str, str]:
    """Return what is wrong by the field of the form that it is shown at: one that has no other is about the value."""
    return {"note" if field == "note" else "value": message for field, message in error.errors}


def _form(setting: Setting, typed: Typed | None, errors: Mapping[str, str], *, overtaken: bool = False) -> str:
    text, type_ = setting.last["value"] if setting.last and setting.last["active"] else None, setting.key["type"]
    hidden = setting.is_secret
    if typed is None:
        typed = Typed(
            "" if hidden else values.to_edit(text, type_), values.is_quoted(text, type_), False, "", setting.version
        )
    return render_template(
        "setting.html",
        setting=setting,
        typed=typed,
        errors=errors,
        overtaken=overtaken,
        now=None if hidden or text is None else values.to_edit(text, type_),
        input=inputs.of(setting.key),
        may_declare=caller().may(Action.DECLARE, setting.namespace, None),
        may=_may(setting),
    )


def _may(setting: Setting) -> bool:
    """Tell whether this caller may change it, or propose to."""
    action = Action.PROPOSE if setting.protected else Action.WRITE
    return caller().may(action, setting.namespace, setting.env)
