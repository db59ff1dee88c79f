"""The write: one call of ``commit_release`` (sql/schema.sql)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from configsvc.errors import Conflict
from configsvc.store.audit import Origin
from configsvc.store.database import OTHER_BODY, Connection, Database, Row
from configsvc.store.queries import load
from configsvc.store.secrets import Kept, columns

_SQL = load("releases")


@dataclass(frozen=True)
class Idempotency:
    """What makes a repeated request recognisable: its key, its method and path, a keyed hash of its body."""

    key: str
    request: str
    body_hash: bytes


@dataclass(frozen=True)
class Leave:
    """By what leave a protected environment is written.

    ``change_request`` and ``edition``: an approved request. ``break_glass``: the reason to do without one. ``preview``:
    the caller takes it all back.
    """

    change_request: int | None = None
    edition: int | None = None
    break_glass: str | None = None
    preview: bool = False


@dataclass(frozen=True)
class Commit:
    """A release to be made. ``values`` are canonical JSON texts, None deletes; one for each of ``key_ids``.

    ``secrets``: where one stands beside a key its value is None. Empty without any.
    ``definitions``: what the values were checked by; a key defined anew meanwhile makes the commit a stale plan.
    """

    env_id: int
    kind: str
    note: str
    key_ids: Sequence[int]
    values: Sequence[str | None]
    definitions: Sequence[int]
    if_key_version: int | None = None
    if_scope: int | None = None
    if_cursor: str | None = None
    base: int | None = None
    base_namespaces: Sequence[int] = field(default_factory=tuple)
    leave: Leave = Leave()
    secrets: Sequence[Kept | None] = ()


_NO_SECRETS = dict.fromkeys(columns(()))


@dataclass(frozen=True)
class Committed:
    """What became of it: the release, or the present one where nothing changed; versions by key id."""

    revision: int
    hash: bytes
    versions: dict[int, int]
    replayed: bool


def commit(connection: Connection, release: Commit, origin: Origin, idempotency: Idempotency | None) -> Committed:
    """Commit a release.

    Raises (through ``Database.connection``):
        RevisionMismatch, ReviewRequired, Conflict, PayloadTooLarge, StalePlan: as the function decided under the lock.
    """
    row = connection.execute(
        _SQL["commit_release"],
        vars(release)
        | vars(release.leave)
        | origin._asdict()
        | (columns(release.secrets) if release.secrets else _NO_SECRETS)
        | {
            "key_ids": _integers(release.key_ids),
            "definitions": _integers(release.definitions),
            "values": list(release.values),
            "base_namespaces": _integers(release.base_namespaces),
            "idempotency_key": idempotency and idempotency.key,
            "request": idempotency and idempotency.request,
            "body_hash": idempotency and idempotency.body_hash,
        },
    ).fetchone()
    assert row is not None
    versions = dict(zip(row["changed_key_ids"], row["changed_versions"], strict=True))
    return Committed(row["revision"], row["hash"], versions, row["replayed"])


def _integers(numbers: Sequence[int]) -> str:
    """Write an array as Postgres reads it. psycopg would look at every element's type, which is felt in a commit."""
    return "{" + ",".join(map(str, numbers)) + "}"


@dataclass(frozen=True)
class Seen:
    """What a request was answered the first time. ``changed``: whether it made a release."""

    env_id: int
    revision: int
    hash: bytes
    changed: bool


def seen(connection: Connection, caller: str, idempotency: Idempotency) -> Seen | None:
    """Return what this request was answered before, None if it is the first.

    Raises:
        Conflict: the key was used with another body.
    """
    params = {"caller": caller, "key": idempotency.key, "request": idempotency.request}
    row = connection.execute(_SQL["seen"], params).fetchone()
    if row is None:
        return None
    if row["body_hash"] != idempotency.body_hash:
        raise Conflict(OTHER_BODY)
    return Seen(row["env_id"], row["revision"], row["hash"], row["changed"])


def changes_of(connection: Connection, env_id: int, revision: int) -> Sequence[Row]:
    """namespace, name, type, version, value text, value_id, fingerprint of one release's changes."""
    return connection.execute(_SQL["changes_of"], {"env_id": env_id, "revision": revision}).fetchall()


def revisions(database: Database) -> dict[str, int]:
    """The newest revision of every environment."""
    return {row["name"]: row["revision"] for row in database.all(_SQL["revisions"])}
