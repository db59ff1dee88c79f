"""Who follows what: the clients, as their syncs last said."""

from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("watch")

#: A client syncs about every 30 s; one that misses two in a row is gone.
LIVE_S = 75
#: How long a silent client is still named as lost.
KEPT_S = 600


@dataclass(frozen=True)
class Report:
    """What one sync says about its client."""

    client_id: str
    env: str
    namespaces: Sequence[str]
    service: str
    host: str
    pid: int
    sdk: str
    transport: str
    revision: int
    cursor: str
    rejected: str | None


def report(database: Database, reports: Sequence[Report]) -> None:
    """Store what many clients said, each client once."""
    params = {
        "client_ids": [one.client_id for one in reports],
        "envs": [one.env for one in reports],
        # No namespace has a comma in its name, and Postgres has no arrays of arrays of different lengths.
        "namespaces": [",".join(one.namespaces) for one in reports],
        "services": [one.service for one in reports],
        "hosts": [one.host for one in reports],
        "pids": [one.pid for one in reports],
        "sdks": [one.sdk for one in reports],
        "transports": [one.transport for one in reports],
        "revisions": [one.revision for one in reports],
        "cursors": [one.cursor for one in reports],
        "rejected": [one.rejected for one in reports],
    }
    with database.connection() as connection:
        connection.execute(_SQL["report"], params)


def affected(connection: Connection, env: str, namespaces: Sequence[str]) -> dict[str, object]:
    """Return how many live clients follow one of the namespaces, and the names of their services."""
    params = {"env": env, "namespaces": list(namespaces), "live_s": LIVE_S}
    row = connection.execute(_SQL["affected"], params).fetchone()
    assert row is not None
    return row


def live(database: Database, env: str, namespace: str | None) -> Sequence[Row]:
    """Return the live clients of an environment, or of one of its namespaces."""
    return database.all(_SQL["live"], {"env": env, "namespace": namespace, "live_s": LIVE_S})


def forget(database: Database) -> None:
    """Forget clients that fell silent long ago."""
    with database.connection() as connection:
        connection.execute(_SQL["forget"], {"kept_s": KEPT_S})
