"""What delivery reads and writes: the lease, the outbox, the releases' changes, and the hints that wake it."""

from collections.abc import Sequence
from uuid import UUID

from configsvc.domain import cursors
from configsvc.store.database import Connection, Row
from configsvc.store.queries import load

_SQL = load("relay")
_REVISIONS = load("releases")["revisions"]

#: A leader that says nothing for this long is replaced (the database's clock).
LEASE_S = 2.5
#: Releases of one environment in one turn: with the limits of a release it bounds the turn's memory and time.
BATCH = 20


def listen(connection: Connection) -> None:
    """Hear of commits on this connection from now on."""
    connection.execute(_SQL["listen"])


def set_up_session(connection: Connection) -> None:
    """Fit a connection to the relay's work: quick rather than durable."""
    connection.execute(_SQL["session"])


def renew(connection: Connection, holder: UUID) -> Sequence[Row]:
    """Take or renew the lease and read what to publish; empty while another relay leads.

    Rows, by environment: up to ``BATCH`` unpublished releases in order, then its newest release with ``unpublished``
    false. Each has beat, env_id, env, revision, hash, previous_hash (None at revision 0) and namespaces.
    """
    return connection.execute(_SQL["renew"], {"holder": holder, "lease_s": LEASE_S, "batch": BATCH}).fetchall()


def give_back(connection: Connection, holder: UUID) -> None:
    """End the lease now."""
    connection.execute(_SQL["give_back"], {"holder": holder})


def changes(connection: Connection, env_id: int, revisions: Sequence[int], bytes_max: int) -> Sequence[Row]:
    """Read the changes of some releases in the order of the messages, as far as a message may hold them.

    Each row: revision, namespace, key, type, secret, version, value (text, None for a delete) and fits. ``fits`` is
    false in the only row of a part whose JSON is certainly over ``bytes_max``.
    """
    params = {"env_id": env_id, "revisions": list(revisions), "bytes_max": bytes_max}
    return connection.execute(_SQL["changes"], params).fetchall()


def mark(connection: Connection, env_id: int, revisions: Sequence[int]) -> None:
    """Record that these releases are published."""
    connection.execute(_SQL["mark"], {"env_id": env_id, "revisions": list(revisions)})


def revisions(connection: Connection) -> dict[str, tuple[int, str]]:
    """Return the newest revision of every environment, and its cursor."""
    rows = connection.execute(_REVISIONS).fetchall()
    return {row["name"]: (row["revision"], cursors.render(row["revision"], row["hash"])) for row in rows}
