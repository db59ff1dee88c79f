"""Browsers that are signed in: a random name in a cookie, and on the server what it stands for.

A session acts as a token: the same identity, name and grants, decided by the same rules. It is looked up anew for every
request, so it ends at once when its owner signs out, its time is over, its token is revoked, or its last grant is gone.
"""

import hashlib
import secrets

from configsvc.errors import Unauthenticated
from configsvc.service.access import Caller, Identity, grants_of
from configsvc.store import audit
from configsvc.store import sessions as store
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, Database

#: A working day. Then one signs in again.
LASTS_S = 12 * 3600.0
#: Longer than what we make; anything else is none of ours.
_SECRET_CHARACTERS_MAX = 100


class Sessions:
    """Begins, recognises and ends sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, connection: Connection, token_id: str, origin: Origin, way: str) -> str:
        """Sign a browser in, in the caller's transaction; return what its cookie holds. ``way``: for the record."""
        secret = secrets.token_urlsafe(32)
        store.insert_session(connection, digest(secret), token_id, LASTS_S)
        audit.record(connection, origin, "session.begin", {"token": token_id, "way": way})
        return secret

    def caller(self, secret: str, request_id: str, address: str) -> Caller:
        """Return who asks.

        Raises:
            Unauthenticated: there is no such session, or it has ended.
        """
        row = store.session(self._database, digest(secret)) if 0 < len(secret) <= _SECRET_CHARACTERS_MAX else None
        if row is None:
            raise Unauthenticated("sign in: this session has ended")
        identity = Identity(row["id"], row["name"], row["principal"], row["expires_at"], grants_of(row))
        return Caller(identity, Origin(identity.name, request_id, address))

    def end(self, caller: Caller, secret: str) -> None:
        """Sign a browser out."""
        with self._database.transaction() as connection:
            store.delete_session(connection, digest(secret))
            audit.record(connection, caller.origin, "session.end", {"token": caller.identity.token_id})


def digest(secret: str) -> bytes:
    """Return what is kept of a secret of ours: 256 random bits need no more than one SHA-256."""
    return hashlib.sha256(secret.encode()).digest()
