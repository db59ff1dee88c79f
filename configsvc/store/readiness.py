"""What a readiness probe asks the database: two look-ups, whatever has piled up."""

from typing import Literal

import psycopg

from configsvc.store import migrate
from configsvc.store.database import Database
from configsvc.store.queries import load

_SQL = load("readiness")

SchemaState = Literal["ok", "behind", "ahead"]


def schema(database: Database) -> SchemaState:
    """Tell whether the database lacks migrations that this code needs, or has some that it does not know."""
    try:
        applied = {row["name"] for row in database.all(_SQL["schema"])}
    except psycopg.errors.UndefinedTable:
        return "behind"
    known = migrate.known()
    if known - applied:
        return "behind"
    return "ahead" if applied - known else "ok"


def relay(database: Database) -> tuple[bool, float]:
    """Return whether a relay leads, and the age of the oldest unpublished release in seconds, 0 without one."""
    row = database.one(_SQL["relay"])
    assert row is not None
    return row["leads"], row["waits_s"]
