"""The ways in: a password, an API token, a link that works once. Each begins a session."""

import secrets
import time
from dataclasses import dataclass
from functools import cache

from argon2.exceptions import VerificationError

from configsvc.errors import NotFound, Unauthenticated
from configsvc.service.access import Authenticator
from configsvc.service.accounts import HASHER, PASSWORD_CHARACTERS_MAX
from configsvc.service.sessions import Sessions, digest
from configsvc.service.throttle import Throttle
from configsvc.store import sessions as store
from configsvc.store.audit import Origin
from configsvc.store.database import Database

_LINK_IS_OVER = "this link has been used, or its time is over: `configsvc account link NAME` makes another"


@dataclass(frozen=True)
class Visit:
    """Where an attempt comes from."""

    request_id: str
    address: str


class SignIn:
    """Begins sessions; every way returns what the browser's cookie then holds."""

    def __init__(
        self, database: Database, authenticator: Authenticator, sessions: Sessions, throttle: Throttle
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        self._sessions = sessions
        self._throttle = throttle

    def by_password(self, name: str, password: str, visit: Visit) -> str:
        """Sign in to an account.

        Raises:
            Unauthenticated: there is no such account, or it has another password; which one is not told.
            RateLimited: too many have failed.
        """
        self._throttle.wait(name, visit.address)
        row = None if "\0" in name else store.account_by_name(self._database, name)
        kept = row["password_hash"] if row else None
        if not _verify(kept, password) or row is None:
            self._throttle.failed(name, visit.address)
            raise Unauthenticated("name and password do not belong together")
        self._throttle.succeeded(name, visit.address)
        return self._begin(row["token_id"], name, visit, "password")

    def by_token(self, token: str, visit: Visit) -> str:
        """Sign in as an API token.

        Raises:
            Unauthenticated: it is none that is valid.
        """
        self._throttle.wait("", visit.address)
        try:
            authenticate = self._authenticator.again(f"Bearer {token}", visit.request_id, visit.address)
            caller = authenticate(since=time.monotonic())
        except Unauthenticated:
            self._throttle.failed("", visit.address)
            raise Unauthenticated("this token is unknown, expired or revoked") from None
        self._throttle.succeeded("", visit.address)
        return self._begin(caller.identity.token_id, caller.name, visit, "token")

    def name_of_link(self, secret: str) -> str:
        """Return whom a link signs in, without using it up.

        Raises:
            NotFound: it has been used, or its time is over.
        """
        row = store.link(self._database, digest(secret))
        if row is None:
            raise NotFound(_LINK_IS_OVER)
        return str(row["name"])

    def by_link(self, secret: str, visit: Visit) -> str:
        """Sign in by a link, once.

        Raises:
            NotFound: it has been used, or its time is over.
        """
        name = self.name_of_link(secret)
        with self._database.transaction() as connection:
            token_id = store.use_link(connection, digest(secret))
            if token_id is None:
                raise NotFound(_LINK_IS_OVER)
            return self._sessions.begin(connection, token_id, Origin(name, visit.request_id, visit.address), "link")

    def _begin(self, token_id: str, name: str, visit: Visit, way: str) -> str:
        with self._database.transaction() as connection:
            return self._sessions.begin(connection, token_id, Origin(name, visit.request_id, visit.address), way)


def _verify(kept: str | None, password: str) -> bool:
    if len(password) > PASSWORD_CHARACTERS_MAX:
        return False
    nobodys = _nobodys()
    try:
        HASHER.verify(kept or nobodys, password)
    except VerificationError:
        return False
    return kept is not None


@cache
def _nobodys() -> str:
    """Return what is compared with where there is no such account, so that the time of the answer does not tell."""
    return HASHER.hash(secrets.token_urlsafe(32))
