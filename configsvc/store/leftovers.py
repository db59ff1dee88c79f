"""Rows that have served their time: answers to writes, and releases that are published."""

from typing import Literal

from configsvc.store.database import Connection
from configsvc.store.queries import load

_SQL = load("sweep")

Table = Literal["idempotency", "outbox"]


def pages(connection: Connection) -> dict[Table, int]:
    """Return the length of each table, in pages."""
    row = connection.execute(_SQL["pages"]).fetchone()
    assert row is not None
    return {"idempotency": row["idempotency"], "outbox": row["outbox"]}


def forget(connection: Connection, table: Table, page: int, count: int) -> int:
    """Delete what is over a day old and done with in ``count`` pages of a table, from one on; return how many rows."""
    place = {"begin": f"({page},0)", "end": f"({page + count},0)"}
    return connection.execute(_SQL[table], place).rowcount
