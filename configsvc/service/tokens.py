"""Making tokens and saying what they may do. A secret is shown once, when it is made; the database keeps its hash."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from configsvc.domain import names, policy
from configsvc.domain.policy import Action
from configsvc.errors import NotFound, RequestError, SetupError, ValidationFailed
from configsvc.service.access import Caller, new_token
from configsvc.store import access as store
from configsvc.store import audit, catalog
from configsvc.store.access import NewGrant, NewToken
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, Database, Row


@dataclass(frozen=True)
class Wanted:
    """A token to make. ``expires_at`` None: it does not run out."""

    name: str
    grants: Sequence[NewGrant]
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Made:
    """A new token: ``secret`` is the whole of it, as its bearer sends it, and is not kept."""

    secret: str
    id: str
    created_at: datetime


class Tokens:
    """Tokens and grants, for admins."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, caller: Caller, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """Return a page of living tokens, newest first, and where the next page begins."""
        caller.require(Action.ADMINISTER, None, None)
        rows = store.tokens(self._database, before, limit)
        return rows, rows[-1]["position"] if len(rows) == limit else None

    def create(self, caller: Caller, wanted: Wanted) -> Made:
        """Make a token that counts as its maker where nobody may approve their own.

        Raises:
            ValidationFailed, Conflict: something in it is not possible, or the name is taken.
        """
        caller.require(Action.ADMINISTER, None, None)
        if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
            raise ValidationFailed([("expires_at", "lies in the past")])
        for position, grant in enumerate(wanted.grants):
            check_grant(self._database, grant, f"grants[{position}].")
        with self._database.transaction() as connection:
            return make(connection, caller.origin, wanted, caller.principal)

    def revoke(self, caller: Caller, token_id: str) -> None:
        """End a token: at once for writes, within seconds for reads and for what is held."""
        caller.require(Action.ADMINISTER, None, None)
        with self._database.transaction() as connection:
            row = store.revoke_token(connection, token_id)
            if row is None:
                raise NotFound(f"there is no live token {token_id}")
            audit.record(connection, caller.origin, "token.revoke", {"token": token_id, "name": row["name"]})

    def grants(self, caller: Caller, token_id: str | None, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """Return a page of grants, newest first, and where the next page begins."""
        caller.require(Action.ADMINISTER, None, None)
        rows = store.grants(self._database, token_id, before, limit)
        return rows, rows[-1]["id"] if len(rows) == limit else None

    def grant(self, caller: Caller, token_id: str, grant: NewGrant) -> Mapping[str, Any]:
        """Let a token do more."""
        caller.require(Action.ADMINISTER, None, None)
        check_grant(self._database, grant, "")
        with self._database.transaction() as connection:
            return give(connection, caller.origin, token_id, grant)

    def ungrant(self, caller: Caller, grant_id: int) -> None:
        """Take a grant back."""
        caller.require(Action.ADMINISTER, None, None)
        with self._database.transaction() as connection:
            take_back(connection, caller.origin, grant_id)


def give(connection: Connection, origin: Origin, token_id: str, grant: NewGrant) -> Row:
    """Let a token do more, in the caller's transaction.

    Raises:
        ValidationFailed: there is no such token.
    """
    row = store.insert_grant(connection, token_id, grant, origin.actor)
    if row is None:
        raise ValidationFailed([("token_id", "there is no live token with this id")])
    audit.record(connection, origin, "grant.create", {"grant": row["id"], "token": token_id, **vars(grant)})
    return row


def take_back(connection: Connection, origin: Origin, grant_id: int) -> None:
    """Let a token do less, in the caller's transaction.

    Raises:
        NotFound: there is no such grant.
    """
    row = store.delete_grant(connection, grant_id)
    if row is None:
        raise NotFound(f"there is no grant {grant_id}")
    details = {"grant": grant_id, "token": row["token_id"], **_without_token(row)}
    audit.record(connection, origin, "grant.delete", details)


def make(connection: Connection, origin: Origin, wanted: Wanted, principal: str) -> Made:
    """Make a token in the caller's transaction.

    Raises:
        Conflict: a live token has the name.
    """
    secret, token_id, secret_hash = new_token()
    return Made(secret, token_id, keep(connection, origin, wanted, principal, token_id, secret_hash))


def keep(
    connection: Connection, origin: Origin, wanted: Wanted, principal: str, token_id: str, secret_hash: bytes
) -> datetime:
    """Store a token whose secret is known to somebody else, with its grants and its audit row; return when."""
    new = NewToken(token_id, wanted.name, secret_hash, principal, origin.actor, wanted.expires_at)
    created_at = store.insert_token(connection, new)
    for grant in wanted.grants:
        store.insert_grant(connection, token_id, grant, origin.actor)
    details = {
        "token": token_id,
        "name": wanted.name,
        "grants": [vars(grant) for grant in wanted.grants],
        "expires_at": wanted.expires_at and wanted.expires_at.isoformat(),
    }
    audit.record(connection, origin, "token.create", details)
    return created_at


def create(database_url: str, wanted: Wanted, *, actor: str) -> str:
    """Make a token at the command line and return it; it counts as a person of its own.

    Raises:
        SetupError: something in it is not possible, the name is taken, or the database does not answer.
    """
    database = Database(database_url)
    try:
        for grant in wanted.grants:
            check_grant(database, grant, "")
        with database.transaction() as connection:
            return make(connection, Origin(actor, "", "local"), wanted, wanted.name).secret
    except RequestError as error:
        raise SetupError(error.detail) from error
    finally:
        database.close()


def check_grant(database: Database, grant: NewGrant, at: str) -> None:
    """Raise ValidationFailed where a grant is not possible; ``at``: where the request has it."""
    errors = []
    if grant.role not in policy.ROLES:
        errors.append((f"{at}role", f"must be one of {', '.join(policy.ROLES)}"))
    if not names.NAMESPACE_PATTERN.fullmatch(grant.namespaces):
        errors.append((f"{at}namespaces", f"must be {names.NAMESPACE_PATTERN_RULE}"))
    known = {row["name"] for row in catalog.environments(database)} if grant.envs is not None else set()
    errors += [(f"{at}envs", f"there is no environment {env}") for env in grant.envs or () if env not in known]
    if errors:
        raise ValidationFailed(errors)


def _without_token(row: Row) -> dict[str, object]:
    return {name: row[name] for name in ("role", "namespaces", "envs")}
