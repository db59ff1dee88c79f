"""Cursors: one state of one history, as text (DESIGN.md §2)."""

import re

CURSOR = re.compile(r"(0|[1-9][0-9]{0,17})\.([0-9a-f]{16})")


def render(revision: int, chain_hash: bytes) -> str:
    """Return the cursor of the release ``revision`` whose chain hash is ``chain_hash`` (32 bytes)."""
    return f"{revision}.{chain_hash[:8].hex()}"


def revision_of(cursor: str) -> int | None:
    """Return the revision that ``cursor`` names, None if it is no cursor at all."""
    match = CURSOR.fullmatch(cursor)
    return int(match[1]) if match else None
