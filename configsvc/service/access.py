"""Who is asking, and may they? Tokens are looked up here, grants are applied here, nothing is anonymous."""

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass

from cachetools import TTLCache

from configsvc.domain.policy import Access, Action, Grant, decide, needed
from configsvc.errors import Forbidden, NotFound, Unauthenticated
from configsvc.service.together import Together
from configsvc.store import access as store
from configsvc.store.access import Origin
from configsvc.store.database import Database, Row

_TOKEN = re.compile(r"cfg_([a-z0-9]{12})_([A-Za-z0-9_-]{43})")
#: Reads take a token's rights from memory for so long: a revoked one reads for 5 s more, and a sync costs one look-
#: up, not two.
CACHE_S = 5.0
#: Tokens remembered at a time. A token that was forgotten costs a look-up.
CACHE_TOKENS_MAX = 10_000


@dataclass(frozen=True)
class Caller:
    """An authenticated token, with what it may do."""

    name: str
    grants: tuple[Grant, ...]
    origin: Origin

    def may(self, action: Action, namespace: str | None, env: str | None, protected: bool = False) -> bool:
        """Tell whether the action is allowed there."""
        return decide(self.grants, action, namespace, env, protected) is Access.ALLOWED

    def require(self, action: Action, namespace: str | None, env: str | None, protected: bool = False) -> None:
        """Raise NotFound where the caller has no grant, Forbidden where it is too small."""
        match decide(self.grants, action, namespace, env, protected):
            case Access.HIDDEN:
                raise not_found(namespace, env)
            case Access.FORBIDDEN:
                place = " in ".join(name for name in (namespace, env) if name)
                where = f" {'of' if place else ''} {place}".rstrip()
                raise Forbidden(
                    f"{self.name} may not {action.value}{where}: that takes the role {needed(action, protected)}"
                )


def not_found(namespace: str | None, env: str | None) -> NotFound:
    """One answer for what is not there and for what the caller has no grant on."""
    if namespace is None:
        return NotFound(f"there is no environment {env}, or you have no grant there")
    place = f" in an environment {env}" if env else ""
    return NotFound(f"there is no namespace {namespace}{place}, or you have no grant there")


class Authenticator:
    """Turns the Authorization header into a Caller."""

    def __init__(self, database: Database) -> None:
        # All held requests of a token are authenticated at the same moment: after every release.
        self._token = Together[str, Row | None](lambda token_id: store.token_by_id(database, token_id))
        self._lock = threading.Lock()
        self._seen: TTLCache[str, tuple[str, tuple[Grant, ...]]] = TTLCache(CACHE_TOKENS_MAX, CACHE_S)

    def authenticate(self, authorization: str | None, request_id: str, address: str, *, fresh: bool) -> Caller:
        """Return the caller.

        ``fresh``: ask the database, as every write does; a read may take rights that are up to ``CACHE_S`` old.

        Raises:
            Unauthenticated: no token, or one that is unknown, expired or revoked.
        """
        token_id, secret = _split(authorization)
        digest = hashlib.sha256(secret.encode()).digest()
        cache_key = f"{token_id}{digest.hex()}"
        with self._lock:
            known = None if fresh else self._seen.get(cache_key)
        if known is None:
            known = self._look_up(token_id, digest)
            with self._lock:
                self._seen[cache_key] = known
        name, grants = known
        return Caller(name, grants, Origin(name, request_id, address))

    def _look_up(self, token_id: str, digest: bytes) -> tuple[str, tuple[Grant, ...]]:
        row = self._token(token_id)
        if not hmac.compare_digest(digest, row["secret_hash"] if row else bytes(32)) or row is None:
            raise Unauthenticated("this token is unknown, expired or revoked")
        return row["name"], tuple(
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
