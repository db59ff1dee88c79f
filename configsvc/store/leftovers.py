"""Rows that have served their time; docs/operations.md says which, and after how long."""

from typing import Literal, get_args

from configsvc.store.database import Connection
from configsvc.store.queries import load

_SQL = load("sweep")

Table = Literal["idempotency", "outbox", "session", "sign_in_link", "secret_value"]
TABLES: tuple[Table, ...] = get_args(Table)


def pages(connection: Connection) -> dict[Table, int]:
    """Return the length of each table, in pages."""
    rows = connection.execute(_SQL["pages"], {"tables": list(TABLES)}).fetchall()
    return {row["table"]: row["pages"] for row in rows}


def forget(connection: Connection, table: Table, page: int, count: int) -> None:
    """Delete what is done with in ``count`` pages of a table, from one on."""
    connection.execute(_SQL[table], {"begin": f"({page},0)", "end": f"({page + count},0)"})
