"""Tokens, grants and the audit trail → lines for people. PURE: no I/O."""

from collections.abc import Mapping, Sequence
from typing import Any

from configclient.cli import _render as render
from configclient.cli._errors import one_line
from configclient.cli._moments import local

Entry = Mapping[str, Any]


def tokens(items: Sequence[Entry]) -> list[str]:
    """The table of living tokens."""
    rows = [
        (
            each["id"],
            one_line(each["name"]),
            ", ".join(map(grant, each["grants"])) or "-",
            one_line(each["created_by"]),
            local(each["created_at"]),
            _moment(each["expires_at"]),
            _moment(each["last_used_at"]),
        )
        for each in items
    ]
    return render.table(("TOKEN", "NAME", "MAY", "MADE BY", "MADE", "EXPIRES", "LAST USED"), rows)


def grants(items: Sequence[Entry]) -> list[str]:
    """The table of grants."""
    rows = [
        (
            str(each["id"]),
            each["token_id"],
            one_line(each["token"]),
            each["role"],
            each["namespaces"],
            _envs(each),
            one_line(each["created_by"]),
            local(each["created_at"]),
        )
        for each in items
    ]
    return render.table(("GRANT", "TOKEN", "NAME", "ROLE", "NAMESPACES", "ENVIRONMENTS", "MADE BY", "MADE"), rows)


def grant(entry: Entry) -> str:
    """A grant in a few words: ``developer on pay* in staging``."""
    return f"{entry['role']} on {entry['namespaces']} in {_envs(entry)}"


def caller(entry: Entry, url: str) -> list[str]:
    """Who asks which service, and what they may."""
    return render.fields(
        {
            "service": url,
            "name": entry["name"],
            "token": entry["token_id"],
            "counts as": entry["principal"],
            "expires": _moment(entry["expires_at"]),
            "grants": ", ".join(map(grant, entry["grants"])) or "-",
            "may": ", ".join(entry["may"]) or "-",
        }
    )


def events(items: Sequence[Entry]) -> list[str]:
    """The table of what happened."""
    rows = [
        (local(each["created_at"]), one_line(each["actor"]) or "-", each["action"], _place(each), _details(each))
        for each in items
    ]
    return render.table(("WHEN", "WHO", "WHAT", "WHERE", "DETAILS"), rows)


def event(entry: Entry) -> str:
    """One event as a line."""
    actor = one_line(entry["actor"]) or "-"
    return f"{local(entry['created_at'])}  {actor}  {entry['action']}  {_place(entry)}  {_details(entry)}".rstrip()


def _place(entry: Entry) -> str:
    revision = "" if entry["revision"] is None else f" revision {entry['revision']}"
    where = [f"{entry['env']}{revision}"] if entry["env"] else []
    return " ".join([*where, render.cut(one_line(" ".join(entry["namespaces"])))]).strip() or "-"


def _details(entry: Entry) -> str:
    said = " ".join(f"{name}={render.bare(value)}" for name, value in entry["details"].items() if name != "hash")
    return render.cut(one_line(said))


def _envs(entry: Entry) -> str:
    return "every environment" if entry["envs"] is None else ",".join(entry["envs"])


def _moment(text: str | None) -> str:
    return "-" if text is None else local(text)
