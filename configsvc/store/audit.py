"""The audit trail: what is no release is recorded here; all of it is read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.types.json import Jsonb

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("audit")


class Origin(NamedTuple):
    """Who asks, from where: what an audit row says of a request."""

    actor: str
    request_id: str
    address: str


@dataclass(frozen=True)
class Filter:
    """Which events are wanted; None is any. ``action``: one, or the word before the dot of several."""

    env: str | None = None
    namespace: str | None = None
    key: str | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    connection: Connection,
    origin: Origin,
    action: str,
    details: Mapping[str, object],
    *,
    env: str | None = None,
    in_order: bool = False,
    namespaces: Sequence[str] = (),
) -> None:
    """Append one event in the caller's transaction.

    ``env``: the environment that it is about. ``in_order``: in that environment's own chain, among its releases; the
    caller's transaction then keeps the environment's lock, as a commit does.
    """
    what = {"env": env, "in_order": in_order, "namespaces": list(namespaces), "action": action}
    connection.execute(_SQL["record_audit_event"], origin._asdict() | what | {"details": Jsonb(dict(details))})


def record_all(
    connection: Connection,
    origin: Origin,
    action: str,
    details: Sequence[Mapping[str, object]],
    *,
    namespaces: Sequence[str],
) -> None:
    """Append an event for each of ``details``, as ``record`` does for one that is about no environment."""
    what = {"env": None, "in_order": False, "namespaces": list(namespaces), "action": action}
    texts = [Jsonb(dict(each)) for each in details]
    connection.execute(_SQL["record_audit_events"], origin._asdict() | what | {"details": texts})


def events(database: Database, wanted: Filter, before: int, limit: int) -> Sequence[Row]:
    """Return a page of events with ids under ``before``, newest first."""
    return database.all(_SQL["events"], vars(wanted) | {"before": before, "limit": limit})
