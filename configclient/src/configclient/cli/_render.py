"""Answers → lines for people. PURE: no I/O.

In lines and tables a value is shown as JSON: one line, and ``"5"`` can be told from ``5``. Nothing that moves the
cursor gets through. ``get`` alone prints a value bare, for ``$(…)``.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import click

from configclient.cli._drift import Declaration, Deed
from configclient.cli._errors import one_line
from configclient.cli._moments import local
from configclient.cli._plan import Kind, Step

UNSET = "(unset)"
MASKED = "(secret)"
# A longer value or note is cut in a line or table; `get` and `-o json` show it whole.
VALUE_COLUMNS_MAX = 60
# One line names this many things; more would not be read.
SHOWN_MAX = 10

Entry = Mapping[str, Any]


def as_json(value: Any) -> str:
    """The JSON text of ``value``, in one line. Read-only dicts and lists of the SDK are written like plain ones."""
    return json.dumps(value, ensure_ascii=False)


def bare(value: Any) -> str:
    """A value as ``get`` prints it: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def short(value: Any) -> str:
    """A value as lines and tables show it."""
    return cut(line(value))


def line(value: Any) -> str:
    """All of a value in one line."""
    return escaped(as_json(value))


def escaped(text: str) -> str:
    """A text with escapes, as JSON has them, for all that moves the cursor or can't be seen."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def item(entry: Entry | None, *, whole: bool = False) -> str:
    """The value or schema of an entry of a config answer, of a change list, or of one side of a difference.

    A long one is cut, unless the ``whole`` is wanted.
    """
    shown = line if whole else short
    if entry is None or entry.get("deleted"):
        return UNSET
    if "schema" in entry:
        return "no schema" if entry["schema"] is None else f"schema {shown(entry['schema'])}"
    return shown(entry["value"]) if "value" in entry else MASKED


def change_line(namespace: str, key: str, old: str | None, new: str, place: str = "") -> str:
    """``payments/rate_limit  100 → 200  development revision 7``; ``old`` is None when it is not known."""
    new = click.style(new, fg="red" if new == UNSET else "green")  # where nobody looks, echo takes colours away
    arrow = f"{click.style(old, dim=True)} → {new}" if old is not None else f"→ {new}"
    return f"{namespace}/{key}  {arrow}  {place}".rstrip()


def new_line(change: Entry, old: str | None, place: str = "") -> str:
    """The line of one change of a release."""
    return change_line(change["namespace"], change["key"], old, item(change), place)


def difference_line(row: Entry, namespace: str, place: str = "") -> str:
    """The line of one row of a diff: what a key was, and what it is or would be."""
    return change_line(namespace, row["key"], item(row["from"]), item(row["to"]), place)


def settings(values: Mapping[str, Entry]) -> list[str]:
    """The table of a namespace's settings."""
    rows = [(key, entry["type"], item(entry), str(entry["version"])) for key, entry in sorted(values.items())]
    return table(("KEY", "TYPE", "VALUE", "VERSION"), rows)


def versions(items: Sequence[Entry]) -> list[str]:
    """The table of a key's versions: what it was, and who made it so."""
    rows = [(str(each["version"]), str(each["revision"]), item(each), *_origin(each)) for each in items]
    return table(("VERSION", "REVISION", "VALUE", "WHEN", "WHO", "KIND", "NOTE"), rows)


def releases(items: Sequence[Entry]) -> list[str]:
    """The table of releases: who changed something where."""
    rows = []
    for each in items:
        when, who, kind, note = _origin(each)
        rows.append((str(each["revision"]), when, who, kind, cut(" ".join(each["namespaces"])), note))
    return table(("REVISION", "WHEN", "WHO", "KIND", "NAMESPACES", "NOTE"), rows)


def namespaces(items: Sequence[Entry]) -> list[str]:
    """The table of namespaces."""
    rows = [(each["name"], one_line(each["created_by"]), cut(one_line(each["description"]))) for each in items]
    return table(("NAMESPACE", "MADE BY", "DESCRIPTION"), rows)


def environments(items: Sequence[Entry]) -> list[str]:
    """The table of environments: which are protected, and where their counters stand."""
    rows = [
        (
            each["name"],
            str(each["revision"]),
            f"{each['approvals']} to approve" if each["review_required"] else "-",
            cut(one_line(each["description"])),
        )
        for each in items
    ]
    return table(("ENVIRONMENT", "REVISION", "PROTECTED", "DESCRIPTION"), rows)


def keys(items: Sequence[Entry]) -> list[str]:
    """The table of declared keys."""
    rows = [
        (
            each["key"],
            each["type"],
            "secret" if each["secret"] else "-",
            "-" if each["schema"] is None else short(each["schema"]),
            cut(one_line(each["description"])),
        )
        for each in items
    ]
    return table(("KEY", "TYPE", "SECRET", "SCHEMA", "DESCRIPTION"), rows)


def watchers(items: Sequence[Entry]) -> list[str]:
    """The table of live clients."""
    rows = [
        (
            one_line(each["service"]),
            f"{one_line(each['host'])}:{each['pid']}",
            str(each["revision"]),
            each["transport"],
            local(each["last_seen"]),
            "-" if each["rejected"] is None else cut(one_line(each["rejected"])),
        )
        for each in items
    ]
    return table(("SERVICE", "PROCESS", "REVISION", "TRANSPORT", "LAST SEEN", "REFUSES"), rows)


def profiles(items: Sequence[Entry]) -> list[str]:
    """The table of profiles."""
    rows = [("*" if each["default"] else "", each["name"], each["url"], each["token_in"]) for each in items]
    return table(("", "PROFILE", "URL", "TOKEN IN"), rows)


def fields(entry: Entry) -> list[str]:
    """One thing, a line for each of its fields."""
    width = max(map(len, entry))
    return [
        f"{name:<{width}}  {one_line(text) if isinstance(text, str) else short(text)}" for name, text in entry.items()
    ]


def step(planned: Step, place: str = "") -> str:
    """The line of a step of a plan."""
    if planned.kind is Kind.CONFLICT:
        return click.style(f"{planned.namespace}/{planned.key}  {planned.reason}", fg="red")
    new = UNSET if planned.kind is Kind.UNSET else MASKED if planned.secret else short(planned.value)
    note = f"new key, {'secret ' if planned.secret else ''}{planned.type}" if planned.kind is Kind.NEW else place
    return change_line(planned.namespace, planned.key, item(planned.old), new, note)


def declaration(planned: Declaration) -> str:
    """The line of what happens to a namespace or a key."""
    if not planned.key:
        return click.style(f"{planned.namespace}  new namespace", fg="green")
    what = {
        Deed.NEW: f"new key, {'secret ' if planned.body.get('secret') else ''}{planned.body.get('type')}",
        Deed.CHANGE: f"change of {', '.join(planned.body)}",
        Deed.DELETE: "delete the key",
        Deed.CONFLICT: planned.reason,
    }[planned.deed]
    colour = "green" if planned.deed is Deed.NEW else "yellow" if planned.deed is Deed.CHANGE else "red"
    return click.style(f"{planned.namespace}/{planned.key}  {what}", fg=colour)


def dry_run(answer: Entry) -> str:
    """The line that says what a dry run was, and what else the write would mean."""
    parts = ["dry run, nothing was written"]
    if answer.get("review_required"):
        parts.append(f"{answer['env']} requires a review")
    if answer.get("watchers"):
        parts.append(audience(answer))
    return "; ".join(parts)


def audience(answer: Entry) -> str:
    """Who would see a change, as a dry run says."""
    watchers = answer["watchers"]
    services = f" ({one_line(', '.join(watchers['services']))})" if watchers["services"] else ""
    return f"watchers: {watchers['count']}{services}"


def laggard(client: Entry) -> str:
    """An instance that is behind."""
    return f"{_client(client)} shows {client['revision']}"


def rejecting(client: Entry) -> str:
    """An instance that refused a release."""
    return f"{_client(client)} refused it ({cut(one_line(client['reason']))})"


def _client(client: Entry) -> str:
    return one_line(f"{client['service']} {client['host']}:{client['pid']}")


def some(texts: Sequence[str]) -> str:
    """As many of them as one line holds."""
    more = [f"and {len(texts) - SHOWN_MAX} more"] if len(texts) > SHOWN_MAX else []
    return ", ".join([*texts[:SHOWN_MAX], *more])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of left-aligned columns, two spaces apart, as wide as the widest cell."""
    grid = [head, *rows]
    widths = [max(_columns(line[i]) for line in grid) for i in range(len(head))]
    lines = ["  ".join(map(_padded, line, widths)).rstrip() for line in grid]
    return [click.style(lines[0], bold=True), *lines[1:]]


def _origin(entry: Entry) -> tuple[str, str, str, str]:
    """When, who, of what kind, and why."""
    return local(entry["created_at"]), one_line(entry["changed_by"]), entry["kind"], cut(one_line(entry["note"]))


def cut(text: str) -> str:
    """As much of a text as a line or table shows."""
    return text if len(text) <= VALUE_COLUMNS_MAX else text[: VALUE_COLUMNS_MAX - 1] + "…"


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _columns(cell))


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    combining = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - combining
