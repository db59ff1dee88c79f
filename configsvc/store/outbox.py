"""What the relay reads and writes: the lease, the outbox, the releases' changes."""

from collections.abc import Sequence
from uuid import UUID

from configsvc.store.database import Connection, Row
from configsvc.store.queries import load

_SQL = load("relay")

#: A leader that says nothing for this long is replaced (DESIGN.md §4; the database's clock).
LEASE_S = 2.5
#: Releases read in one turn, per environment: bounds a turn's memory and its time between two renewals.
BATCH = 100


def renew(connection: Connection, holder: UUID, beats_used: int) -> Sequence[Row]:
    """Take or renew the lease and read what to publish; empty while another relay leads.

    Each row: beat (the last one reserved before this turn), env_id, env, revision, hash, previous_hash, namespaces,
    and whether the release is unpublished; each environment's newest release comes last, as the heartbeat.
    """
    params = {"holder": holder, "beats_used": beats_used, "lease_s": LEASE_S, "batch": BATCH}
    return connection.execute(_SQL["renew"], params).fetchall()


def give_back(connection: Connection, holder: UUID) -> None:
    """End the lease now."""
    connection.execute(_SQL["release"], {"holder": holder})


def changes(connection: Connection, env_id: int, revisions: Sequence[int]) -> Sequence[Row]:
    """revision, namespace, name, type, version, value text of some releases' changes, in the order of the messages."""
    return connection.execute(_SQL["changes"], {"env_id": env_id, "revisions": list(revisions)}).fetchall()


def mark(connection: Connection, env_id: int, revisions: Sequence[int]) -> None:
    """Record that these releases are published."""
    connection.execute(_SQL["mark"], {"env_id": env_id, "revisions": list(revisions)})
