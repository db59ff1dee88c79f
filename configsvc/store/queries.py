"""Reads ``sql/queries/*.sql``: each query stands there under its name, with its purpose.

A query begins with ``-- name: purpose`` in its first column and ends at the next one.
"""

import re
from functools import cache
from pathlib import Path
from typing import LiteralString

_HEADING = re.compile(r"^-- ([a-z_]+): (.+)$", re.MULTILINE)


def sql_dir() -> Path:
    """Return the folder with schema.sql: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


@cache
def load(noun: str) -> dict[str, LiteralString]:
    """Return the queries of ``sql/queries/<noun>.sql`` by name."""
    text = (sql_dir() / "queries" / f"{noun}.sql").read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {heading[1]: text[heading.end() : end].strip() for heading, end in zip(headings, ends, strict=True)}
