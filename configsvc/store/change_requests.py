"""Change requests: proposed releases, what was said about them, and what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain.reviews import Proposed
from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("change_requests")


@dataclass(frozen=True)
class Filter:
    """Which requests are wanted; None is any."""

    env: str | None = None
    namespace: str | None = None
    status: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class Edition:
    """What is proposed, and what it was made on: ``base`` is the environment's revision."""

    note: str
    namespaces: Sequence[str]
    base: int
    digest: bytes
    changes: Sequence[Proposed]


def lock_environment(connection: Connection, env: str) -> Row | None:
    """Keep the environment as it is until the end of the transaction; return it, None if there is none."""
    return connection.execute(_SQL["lock_environment"], {"env": env}).fetchone()


def pending(connection: Connection, env_id: int) -> int:
    """How many requests of an environment are open or approved."""
    row = connection.execute(_SQL["pending"], {"env_id": env_id}).fetchone()
    assert row is not None
    return int(row["pending"])


def bases(connection: Connection, env_id: int, key_ids: Sequence[int]) -> Sequence[Row]:
    """Return base_version (0: none), value, fingerprint, base_definition and schema of each key, in the order named."""
    return connection.execute(_SQL["bases"], {"env_id": env_id, "key_ids": list(key_ids)}).fetchall()


def insert(connection: Connection, env_id: int, edition: Edition, author: str, principal: str) -> int:
    """Store a new request and return its number."""
    params = vars(edition) | {"env_id": env_id, "author": author, "principal": principal}
    row = connection.execute(_SQL["insert_request"], params).fetchone()
    assert row is not None
    _insert_changes(connection, row["id"], 1, edition.changes)
    return int(row["id"])


def edit(connection: Connection, request_id: int, edition: Edition) -> int:
    """Replace what a request proposes; return the number of the new edition."""
    row = connection.execute(_SQL["edit_request"], vars(edition) | {"id": request_id}).fetchone()
    assert row is not None
    _insert_changes(connection, request_id, row["edition"], edition.changes)
    return int(row["edition"])


def _insert_changes(connection: Connection, request_id: int, edition: int, changes: Sequence[Proposed]) -> None:
    params = {
        "request_id": request_id,
        "edition": edition,
        "key_ids": [change.key_id for change in changes],
        "values": [change.text for change in changes],
        "schemas": [change.schema for change in changes],
        "base_versions": [change.base_version for change in changes],
        "base_definitions": [change.base_definition for change in changes],
        "value_ids": [change.secret and change.secret.value_id for change in changes],
        "fingerprints": [change.secret and change.secret.fingerprint for change in changes],
        "source_envs": [change.source and change.source.env for change in changes],
        "source_revisions": [change.source and change.source.revision for change in changes],
    }
    connection.execute(_SQL["insert_changes"], params)


def set_status(connection: Connection, request_id: int, status: str) -> None:
    """Note what became of a request."""
    connection.execute(_SQL["set_status"], {"id": request_id, "status": status})


def insert_review(
    connection: Connection, request: Row, decision: str, comment: str, reviewer: str, principal: str
) -> None:
    """Store somebody's word about the present edition."""
    params = {"request_id": request["id"], "edition": request["edition"], "decision": decision, "comment": comment}
    connection.execute(_SQL["insert_review"], params | {"reviewer": reviewer, "principal": principal})


def request(connection: Connection, request_id: int) -> Row | None:
    """Return one request, with who approves it as it is and how many have to."""
    return connection.execute(_SQL["request"], {"id": request_id}).fetchone()


def requests(database: Database, wanted: Filter, before: int, limit: int) -> Sequence[Row]:
    """Return a page of requests with numbers under ``before``, newest first."""
    return database.all(_SQL["requests"], vars(wanted) | {"before": before, "limit": limit})


def changes(connection: Connection, request: Row) -> Sequence[Row]:
    """Return what the present edition proposes, with what it was made on and what is live."""
    params = {name: request[name] for name in ("id", "edition", "env_id")}
    return connection.execute(_SQL["changes"], params).fetchall()


def reviews(connection: Connection, request_id: int) -> Sequence[Row]:
    """Return all that was said about a request, oldest first."""
    return connection.execute(_SQL["reviews"], {"id": request_id}).fetchall()
