"""Who did what, when, from where: the trail, narrowed to what one looks for, and taken along as JSON lines."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request

from configsvc.admin import values
from configsvc.admin.guard import caller
from configsvc.admin.paging import BEGINNING, ITEMS, number
from configsvc.errors import NotFound, ValidationFailed
from configsvc.service.access import Caller
from configsvc.service.audit import Audit
from configsvc.service.catalog import Catalog
from configsvc.store.audit import Filter

Answer = Response | str | tuple[str, int]
#: What events are about: the first words of their names.
KINDS = (
    "account",
    "authentication",
    "environment",
    "grant",
    "key",
    "keys",
    "namespace",
    "release",
    "request",
    "secret",
    "session",
    "token",
    "write",
)
_FIELDS = ("env", "namespace", "key", "actor", "action", "since", "until")
_HASH = re.compile(r"[0-9a-f]{64}")
#: Enough to tell one from another; the export has all of it.
_HASH_CHARACTERS = 12
_WORD_CHARACTERS_MAX = 200
#: Events that an export looks through, in so many pages.
EXPORTED_MAX = 10_000
_EXPORT_PAGE = 500


def add(routes: Blueprint, audit: Audit, catalog: Catalog) -> None:
    """Add the pages."""

    @routes.get("/audit", endpoint="audit")
    def show() -> Answer:
        who, before, errors, status = caller(), number(request.args.get("before")), dict[str, str](), 200
        rows, following = list[Mapping[str, Any]](), None
        try:
            found, following = audit.page(who, _wanted(), before, ITEMS)
            rows = [{**row, "facts": facts(row["details"])} for row in found]
        except ValidationFailed as error:
            errors, status = dict(error.errors), 422
        except NotFound as error:
            errors, status = {"namespace": error.detail}, 404
        page = render_template(
            "audit.html",
            rows=rows,
            following=following,
            given=_given(),
            kinds=KINDS,
            envs=catalog.environments(who),
            start="before" in request.args,
            exported_max=EXPORTED_MAX,
            errors=errors,
        )
        return page, status

    @routes.get("/audit/export", endpoint="audit_export")
    def export() -> Response:
        lines = "".join(_line(row) for row in _exported(audit, caller(), _wanted()))
        response = Response(lines, content_type="application/jsonl; charset=utf-8")
        response.headers["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        return response


def facts(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the details of an event as names and texts, without what says nothing."""
    return [(name.replace("_", " "), _text(value)) for name, value in details.items() if value not in (None, "", [])]


def _text(value: Any) -> str:
    match value:
        case None:
            return "any"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name.replace('_', ' ')} {_text(inner)}" for name, inner in value.items())
        case list():
            return ("; " if any(isinstance(inner, dict) for inner in value) else ", ").join(map(_text, value))
        case str() if _HASH.fullmatch(value):
            return f"{value[:_HASH_CHARACTERS]}…"
        case _:
            return str(value)


def _given() -> dict[str, str]:
    """Return the filter as it was typed."""
    return {name: text for name in _FIELDS if (text := request.args.get(name, "").strip())}


def _wanted() -> Filter:
    given = _given()
    errors = [(name, f"has more than {_WORD_CHARACTERS_MAX} characters") for name, text in given.items()
              if len(text) > _WORD_CHARACTERS_MAX]  # fmt: skip
    if "key" in given and "namespace" not in given:
        errors.append(("namespace", "say in which namespace the key is"))
    if errors:
        raise ValidationFailed(errors)
    return Filter(
        env=given.get("env"),
        namespace=given.get("namespace"),
        key=given.get("key"),
        actor=given.get("actor"),
        action=given.get("action"),
        since=values.time(given.get("since"), "since"),
        until=values.time(given.get("until"), "until"),
    )


def _exported(audit: Audit, who: Caller, wanted: Filter) -> Iterator[Mapping[str, Any]]:
    before = BEGINNING
    for _ in range(EXPORTED_MAX // _EXPORT_PAGE):
        rows, following = audit.page(who, wanted, before, _EXPORT_PAGE)
        yield from rows
        if following is None:
            return
        before = following


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=_moment) + "\n"


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
