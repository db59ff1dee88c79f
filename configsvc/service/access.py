"""Who is asking, and may they? Tokens are looked up here, grants are applied here, nothing is anonymous."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from configsvc.domain.policy import Access, Action, Grant, decide, needed
from configsvc.errors import Forbidden, Hidden, Unauthenticated
from configsvc.store import access as store
from configsvc.store import catalog
from configsvc.store.audit import Origin
from configsvc.store.database import Database, Row
from configsvc.together import Together

_TOKEN = re.compile(r"cfg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
#: Reads take a token's rights from memory for so long: a revoked one reads for 5 s more, and a sync costs one look-
#: up, not two.
CACHE_S = 5.0


@dataclass(frozen=True)
class Identity:
    """A token that is alive, and what it may do.

    ``principal``: whom it counts as where nobody may approve their own. A token minted by X counts as X; one that the
    operator made at the command line counts as itself.
    """

    token_id: str
    name: str
    principal: str
    expires_at: datetime | None
    grants: tuple[Grant, ...]


class Caller(NamedTuple):
    """Who asks, from where."""

    identity: Identity
    origin: Origin

    @property
    def name(self) -> str:
        """What history shows as the author."""
        return self.identity.name

    @property
    def principal(self) -> str:
        """Whom it counts as."""
        return self.identity.principal

    def may(self, action: Action, namespace: str | None, env: str | None, protected: bool = False) -> bool:
        """Tell whether the action is allowed there."""
        return decide(self.identity.grants, action, namespace, env, protected) is Access.ALLOWED

    def require(self, action: Action, namespace: str | None, env: str | None, protected: bool = False) -> None:
        """Raise NotFound where the caller has no grant, Forbidden where it is too small."""
        match decide(self.identity.grants, action, namespace, env, protected):
            case Access.HIDDEN:
                raise not_found(namespace, env)
            case Access.FORBIDDEN:
                raise self._forbidden(action, namespace, env, protected)

    def _forbidden(self, action: Action, namespace: str | None, env: str | None, protected: bool) -> Forbidden:
        place = " in ".join(name for name in (namespace, env) if name)
        where = f" {'of' if place else ''} {place}".rstrip()
        detail = f"{self.name} may not {action.value}{where}: that takes the role {needed(action, protected)}"
        if action is Action.WRITE and self.may(Action.PROPOSE, namespace, env):
            url = f"/v1/envs/{env}/requests"
            return Forbidden(f"{detail}; propose the change instead: POST it to {url}", request_url=url)
        return Forbidden(detail)


def not_found(namespace: str | None, env: str | None) -> Hidden:
    """One answer for what is not there and for what the caller has no grant on."""
    if namespace is None:
        return Hidden(f"there is no environment {env}, or you have no grant there")
    place = f" in an environment {env}" if env else ""
    return Hidden(f"there is no namespace {namespace}{place}, or you have no grant there")


#: What a tool may want to show or hide, by the word that GET /v1/me has for it.
_SHOWN = {
    "read": Action.READ,
    "read_secrets": Action.READ_SECRETS,
    "reveal": Action.REVEAL,
    "declare": Action.DECLARE,
    "write": Action.WRITE,
    "propose": Action.PROPOSE,
    "approve": Action.APPROVE,
    "break_glass": Action.BREAK_GLASS,
}


class Permissions:
    """Says what a caller may do, so that tools show only that."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def here(self, caller: Caller, namespace: str, env: str) -> list[str]:
        """Return what the caller may do in one scope.

        Raises:
            NotFound: it is not there, or the caller has no grant on it.
        """
        require_place(self._database, caller, namespace, env)
        environment = catalog.environment(self._database, env)
        protected = environment is not None and bool(environment["review_required"])
        allowed = [word for word, action in _SHOWN.items() if caller.may(action, namespace, env, protected)]
        # Whoever may write where a review is required writes by a request.
        direct = [word for word in allowed if word != "write"] if protected else allowed
        return direct + self._everywhere(caller)

    def at_all(self, caller: Caller) -> list[str]:
        """Return what the caller may do somewhere."""
        return [word for word, action in _SHOWN.items() if caller.may(action, None, None)] + self._everywhere(caller)

    def _everywhere(self, caller: Caller) -> list[str]:
        return ["administer"] if caller.may(Action.ADMINISTER, None, None) else []


def require_place(database: Database, caller: Caller, namespace: str | None, env: str | None) -> None:
    """Raise NotFound where what a list is narrowed to is not there, or the caller has no grant on it."""
    if namespace is None and env is None:
        return
    caller.require(Action.READ, namespace, env)
    if env is not None and catalog.environment(database, env) is None:
        raise not_found(None, env)
    if namespace is not None and not catalog.namespace_exists(database, namespace):
        raise not_found(namespace, env)


class Authenticate(Protocol):
    """Authenticates the same request again."""

    def __call__(self, *, since: float) -> Caller:
        """Return the caller by rights looked up after a moment of the monotonic clock. Raises Unauthenticated."""
        ...


class Authenticator:
    """Turns the Authorization header into a Caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._identity = Together(self._look_up)

    def again(self, authorization: str | None, request_id: str, address: str) -> Authenticate:
        """Return what authenticates one request, as often as it is asked: with a moment of the monotonic clock at which
        its rights may have been looked up at the earliest.

        For a write that is now; a read may take what is up to ``CACHE_S`` old.

        Raises:
            Unauthenticated: no token.
        """
        token_id, secret = _split(authorization)
        token = token_id, hashlib.sha256(secret.encode()).digest()

        def authenticate(*, since: float) -> Caller:
            known = self._identity(token, since)
            return Caller(known, Origin(known.name, request_id, address))

        return authenticate

    def _look_up(self, token: tuple[str, bytes]) -> Identity:
        token_id, digest = token
        row = store.token_by_id(self._database, token_id)
        if not hmac.compare_digest(digest, row["secret_hash"] if row else bytes(32)) or row is None:
            raise Unauthenticated("this token is unknown, expired or revoked")
        if row["long_unused"]:
            store.mark_used(self._database, token_id)
        return Identity(token_id, row["name"], row["principal"], row["expires_at"], grants_of(row))


def grants_of(row: Row) -> tuple[Grant, ...]:
    """Return the grants of a token as the store gives them."""
    return tuple(
        Grant(grant["role"], grant["namespaces"], None if grant["envs"] is None else frozenset(grant["envs"]))
        for grant in row["grants"]
    )


def _split(authorization: str | None) -> tuple[str, str]:
    scheme, _, token = (authorization or "").partition(" ")
    match = _TOKEN.fullmatch(token.strip())
    if scheme.lower() != "bearer" or match is None:
        raise Unauthenticated("send the header Authorization: Bearer cfg_…, with a token from `configsvc token create`")
    return match[1], match[2]


def new_token() -> tuple[str, str, bytes]:
    """Return a new token, its id and its secret's hash."""
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return f"cfg_{token_id}_{secret}", token_id, hashlib.sha256(secret.encode()).digest()


def parts_of(token: str) -> tuple[str, bytes]:
    """Return the id and the secret's hash of an existing token."""
    token_id, secret = _split(f"Bearer {token}")
    return token_id, hashlib.sha256(secret.encode()).digest()
