"""What templates know: who is signed in, and how values, moments and differences are written."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from flask import Blueprint, g

from configsvc import __version__
from configsvc.domain.policy import Action
from configsvc.service.access import Caller

#: Of a value in a table; its own page has the rest.
SHORT_CHARACTERS = 120
_STYLE_VERSION = version("bootstrap-flask")


def register(routes: Blueprint) -> None:
    """Give the templates of these pages what they share."""
    routes.app_context_processor(_always)
    routes.app_template_filter("moment")(moment)
    routes.app_template_filter("iso")(lambda at: at.astimezone(UTC).isoformat(timespec="seconds"))
    routes.app_template_filter("short")(short)
    routes.app_template_filter("state")(state)


def _always() -> dict[str, object]:
    me: Caller | None = g.get("caller")
    administers = me is not None and me.may(Action.ADMINISTER, None, None)
    return {"me": me, "administers": administers, "version": __version__, "bootstrap_version": _STYLE_VERSION}


def moment(at: datetime) -> str:
    """Return a moment for people, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def short(text: str) -> str:
    """Return the beginning of a long text."""
    return text if len(text) <= SHORT_CHARACTERS else f"{text[:SHORT_CHARACTERS]}…"


def shown(text: str | None, type_: str) -> str:
    """Return a stored value as people write it: strings without quotes, JSON with spaces."""
    if text is None:
        return ""
    if type_ == "string":
        return str(json.loads(text))
    return json.dumps(json.loads(text), ensure_ascii=False) if type_ == "json" else text


def state(side: Mapping[str, Any] | None, type_: str) -> str:
    """Return one side of a difference, as the service answers it, for people."""
    if side is None or side.get("deleted"):
        return "unset"
    if side.get("secret"):
        return f"secret {side['fingerprint']}" if side.get("fingerprint") else "secret"
    if "schema" in side:
        return f"schema {json.dumps(side['schema'], ensure_ascii=False)}"
    value = side["value"]
    return value if type_ == "string" else json.dumps(value, ensure_ascii=False)
