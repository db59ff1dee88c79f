"""What monitoring asks the database, each time it comes by."""

from collections.abc import Sequence

from configsvc.store.database import Database, Row
from configsvc.store.queries import load

_SQL = load("metrics")


def environments(database: Database) -> Sequence[Row]:
    """Return env, revision, unpublished, oldest_s (of what is unpublished, seconds) and requests that wait."""
    return database.all(_SQL["environments"], {})


def watchers(database: Database) -> Sequence[Row]:
    """Return env, transport, and how many clients are live and rejecting."""
    return database.all(_SQL["watchers"], {})


def relay_leads(database: Database) -> bool:
    """Tell whether some relay has the lease."""
    return any(row["leads"] for row in database.all(_SQL["relay"], {}))
