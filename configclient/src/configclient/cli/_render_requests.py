"""Change requests → lines for people. PURE: no I/O.

Whoever approves has to see all that they approve: here no value is cut, and two long ones are compared line by line.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import one_line
from configclient.cli._moments import local

Entry = Mapping[str, Any]

COLOURS = {"open": "yellow", "approved": "green", "applied": "green", "rejected": "red", "void": "red"}
# What people say of each decision.
SAID = {"approve": "approved", "reject": "rejected", "comment": "says"}


def requests(items: Sequence[Entry]) -> list[str]:
    """The table of change requests."""
    rows = [
        (
            str(each["id"]),
            each["status"],
            each["env"],
            render.cut(" ".join(each["namespaces"])),
            one_line(each["author"]),
            f"{len(each['approvals']['by'])} of {each['approvals']['needed']}",
            local(each["updated_at"]),
            render.cut(one_line(each["note"])),
        )
        for each in items
    ]
    return render.table(("REQUEST", "STATUS", "ENVIRONMENT", "NAMESPACES", "BY", "APPROVED", "CHANGED", "NOTE"), rows)


def request(entry: Entry) -> list[str]:
    """All about one request: what it would change of what is live, who said what, and what the reader may do."""
    status = click.style(entry["status"], fg=COLOURS.get(entry["status"]))
    by = f"{one_line(entry['author'])}, {local(entry['updated_at'])}"
    head = f"request {entry['id']} for {entry['env']}: {status}, by {by}"
    lines = [head, *([one_line(entry["note"])] if entry["note"] else []), ""]
    lines += [line for row in _rows(entry) for line in difference(row)]
    lines += [_source(each) for each in entry["changes"] if "promoted_from" in each]
    lines += ["", *_standing(entry)]
    lines += [_said(each, entry["edition"]) for each in entry["reviews"]]
    return [*lines, f"digest: {entry['digest']}", f"you may: {', '.join(entry['may']) or 'look'}"]


def difference(row: Entry) -> list[str]:
    """The lines of one change, with nothing left out."""
    name = f"{row['namespace']}/{row['key']}"
    old, new = (render.item(row[side], whole=True) for side in ("from", "to"))
    if max(len(old), len(new)) <= render.VALUE_COLUMNS_MAX:
        return [render.change_line(row["namespace"], row["key"], old, new)]
    before, after = (_text(row[side]) for side in ("from", "to"))
    changed = islice(difflib.unified_diff(before, after, lineterm="", n=3), 2, None)
    name += " schema" if row["to"] is not None and "schema" in row["to"] else ""
    return [name, *(click.style(f"  {line}", fg={"+": "green", "-": "red"}.get(line[:1])) for line in changed)]


def _rows(entry: Entry) -> list[Entry]:
    """What differs from what is live; of a request at its end, what it was about."""
    if entry["diff"] or entry["status"] not in ("applied", "withdrawn"):
        return list(entry["diff"])
    return [{**each, "from": each.get("base"), "to": None if each.get("delete") else each} for each in entry["changes"]]


def _source(change: Entry) -> str:
    """Where the value of a promoted key is from: of a secret, that is all there is to see."""
    source = change["promoted_from"]
    return f"{change['namespace']}/{change['key']} is what {source['env']} has at revision {source['revision']}"


def _standing(entry: Entry) -> list[str]:
    by = f" ({one_line(', '.join(entry['approvals']['by']))})" if entry["approvals"]["by"] else ""
    lines = [f"approved by {len(entry['approvals']['by'])} of {entry['approvals']['needed']}{by}"]
    if entry["void_reason"]:
        lines.append(one_line(entry["void_reason"]))
    if entry["revision"] is not None:
        lines.append(f"applied as {entry['env']} revision {entry['revision']}")
    return [*lines, render.audience(entry)]


def _said(review: Entry, edition: int) -> str:
    of = "" if review["edition"] == edition else ", of what it was before an edit"
    words = f": {one_line(review['comment'])}" if review["comment"] else ""
    return f"{one_line(review['reviewer'])} {SAID.get(review['decision'], review['decision'])}{of}{words}"


def _text(side: Entry | None) -> list[str]:
    """One side of a difference as lines; those of a text are JSON strings, which leave nothing to guess."""
    if side is None or side.get("secret") or side.get("deleted"):
        return [render.item(side)]
    value = side["schema"] if "schema" in side else side["value"]
    if isinstance(value, str):
        return [render.line(part) for part in value.splitlines(keepends=True)] or [render.line("")]
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
    return [render.escaped(line) for line in text.splitlines()]
