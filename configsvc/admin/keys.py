"""Keys: declared here, and described and bounded anew."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for

from configsvc.admin import values
from configsvc.admin.guard import caller, see
from configsvc.domain import strict_json
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, Malformed, ReviewRequired, ValidationFailed
from configsvc.service.keys import Declaration, Keys

Answer = Response | str | tuple[str, int]
#: The first is what most settings are.
TYPES = ("string", "int", "float", "bool", "json")


def add(routes: Blueprint, keys: Keys) -> None:
    """Add the pages."""

    @routes.get("/keys/<namespace>/new", endpoint="new_key")
    def new(namespace: str) -> Answer:
        return _new(namespace, {})

    @routes.post("/keys/<namespace>/new", endpoint="declare_key")
    def declare(namespace: str) -> Answer:
        name = request.form.get("key", "").strip()
        try:
            wanted = Declaration(name, _type(), _description(), "secret" in request.form, _schema())
            keys.declare(caller(), namespace, [wanted])
        except ValidationFailed as error:
            return _new(namespace, dict(error.errors)), 422
        except Conflict as error:
            return _new(namespace, {"key": error.detail}), 409
        return see(url_for("ui.namespace", namespace=namespace, q=name))

    @routes.get("/keys/<namespace>/of/<key>", endpoint="key")
    def show(namespace: str, key: str) -> Answer:
        return _one(keys, namespace, key, {})

    @routes.post("/keys/<namespace>/of/<key>", endpoint="change_key")
    def change(namespace: str, key: str) -> Answer:
        try:
            wanted = {"description": _description(), "schema": _schema()}
            keys.change(caller(), namespace, key, wanted, None)
        except ValidationFailed as error:
            return _one(keys, namespace, key, dict(error.errors)), 422
        except ReviewRequired as error:
            return _one(keys, namespace, key, {"schema": error.detail}), 409
        return see(url_for("ui.namespace", namespace=namespace, q=key))


def _new(namespace: str, errors: Mapping[str, str]) -> str:
    caller().require(Action.DECLARE, namespace, None)
    typed = {"type": TYPES[0], **request.form}
    return render_template("key.html", namespace=namespace, key=None, typed=typed, errors=errors, types=TYPES)


def _one(keys: Keys, namespace: str, name: str, errors: Mapping[str, str]) -> str:
    key = keys.one(caller(), namespace, name)
    caller().require(Action.DECLARE, namespace, None)
    kept: dict[str, Any] = {
        "description": key["description"],
        "schema": values.to_edit(key["schema"], "json") if key["schema"] else "",
    }
    typed = request.form if errors else kept
    return render_template("key.html", namespace=namespace, key=key, typed=typed, errors=errors, types=TYPES)


def _type() -> str:
    type_ = request.form.get("type", "")
    if type_ not in TYPES:
        raise ValidationFailed([("type", f"must be one of {', '.join(TYPES)}")])
    return type_


def _description() -> str:
    try:
        return values.note(request.form.get("description", ""))
    except ValidationFailed as error:
        raise ValidationFailed([("description", error.errors[0][1])]) from None


def _schema() -> object:
    """Return the schema that was typed, None without one."""
    text = request.form.get("schema", "").strip()
    if not text:
        return None
    try:
        return strict_json.loads(text.encode())
    except Malformed as error:
        raise ValidationFailed([("schema", error.detail.replace("the body is not", "is no"))]) from None
