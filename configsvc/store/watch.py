"""Who follows what: the clients, as their syncs last said, and how far releases came with them."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.types.json import Json

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("watch")


@dataclass(frozen=True)
class Report:
    """What one sync says about its client. ``leaving``: that it ends. ``token_id``: whose word that is."""

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
    leaving: bool
    token_id: str


@dataclass(frozen=True)
class Reach:
    """A release and the namespaces through which clients get it: whom it concerns."""

    env_id: int
    revision: int
    namespaces: tuple[str, ...]


def report(database: Database, reports: Sequence[tuple[Report, float]], live_s: float) -> None:
    """Store what many clients said, each client once, and how many seconds ago.

    ``live_s``: how long after a sync a client counts as alive.
    """
    rows = [{**vars(said), "age_s": age_s} for said, age_s in reports]
    with database.connection() as connection:
        connection.execute(_SQL["report"], {"reports": Json(rows), "live_s": live_s})


def affected(connection: Connection, env: str, namespaces: Sequence[str]) -> dict[str, object]:
    """Return how many live clients follow one of the namespaces, and the names of their services."""
    row = connection.execute(_SQL["affected"], {"env": env, "namespaces": list(namespaces)}).fetchone()
    assert row is not None
    return row


def live(database: Database, env: str, namespace: str | None) -> Sequence[Row]:
    """Return the live clients of an environment, or of one of its namespaces."""
    return database.all(_SQL["live"], {"env": env, "namespace": namespace})


def followers(database: Database, reach: Reach) -> Sequence[Row]:
    """Return the clients that a release concerns, alive or lost, with the revision of this history that each shows."""
    return database.all(_SQL["followers"], {"env_id": reach.env_id, "namespaces": list(reach.namespaces)})


def progress(database: Database, reach: Reach) -> Row:
    """Return whether every client is known by now, and the release's times in seconds, None while not reached."""
    row = database.one(_SQL["progress"], {"env_id": reach.env_id, "revision": reach.revision})
    assert row is not None
    return row


def converged(database: Database, reaches: Sequence[Reach]) -> Sequence[Reach]:
    """Return those of some releases that all the clients they concern show; one that concerns nobody is none."""
    params = {
        "env_ids": [reach.env_id for reach in reaches],
        "revisions": [reach.revision for reach in reaches],
        # No namespace has a comma in its name, and Postgres has no arrays of arrays of different lengths.
        "namespaces": [",".join(reach.namespaces) for reach in reaches],
    }
    return [reaches[row["index"]] for row in database.all(_SQL["converged"], params)]


def tidy(database: Database) -> None:
    """Forget clients that fell silent long ago, and measure what has arrived without them."""
    with database.connection() as connection:
        connection.execute(_SQL["measure"])
        connection.execute(_SQL["forget"])
