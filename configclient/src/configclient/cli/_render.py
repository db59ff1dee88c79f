"""Answers → lines for people. PURE: no I/O.

In lines and tables a value is shown as JSON: one line, and ``"5"`` can be told from ``5``. Nothing that moves the
cursor gets through. ``get`` alone prints a value bare, for ``$(…)``.
"""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

UNSET = "(unset)"
MASKED = "(secret)"
# A longer value is cut in a line or table; `get` shows it whole.
VALUE_COLUMNS_MAX = 60


def as_json(value: Any) -> str:
    """The JSON text of ``value``, in one line. Read-only dicts and lists of the SDK are written like plain ones."""
    return json.dumps(value, ensure_ascii=False)


def bare(value: Any) -> str:
    """A value as ``get`` prints it: a string as it is, everything else as JSON."""
    return value if isinstance(value, str) else as_json(value)


def short(value: Any) -> str:
    """A value as lines and tables show it."""
    text = "".join(char if char.isprintable() else _escaped(char) for char in as_json(value))
    return text if len(text) <= VALUE_COLUMNS_MAX else text[: VALUE_COLUMNS_MAX - 1] + "…"


def item(entry: Mapping[str, Any]) -> str:
    """The value of an entry of a config answer or of a change list."""
    if entry.get("deleted"):
        return UNSET
    return short(entry["value"]) if "value" in entry else MASKED


def change_line(namespace: str, key: str, old: str | None, new: str, place: str) -> str:
    """``payments/rate_limit  100 → 200  development revision 7``; ``old`` is None when it is not known."""
    arrow = f"{old} → {new}" if old is not None else f"→ {new}"
    return f"{namespace}/{key}  {arrow}  {place}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of left-aligned columns, two spaces apart, as wide as the widest cell."""
    lines = [head, *rows]
    widths = [max(_columns(line[i]) for line in lines) for i in range(len(head))]
    rows = [[_padded(cell, width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return ["  ".join(row).rstrip() for row in rows]


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - _columns(cell))


def _columns(text: str) -> int:
    """How many columns of a terminal ``text`` takes: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    combining = sum(unicodedata.combining(char) != 0 for char in text)
    return len(text) + wide - combining
