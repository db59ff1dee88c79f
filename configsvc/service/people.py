"""People whom an OpenID provider vouches for: each has one account, by issuer and subject, whatever they are called.

What they may do is what the provider says at each sign-in: grants come and go with it, and without any their sessions
end. They count as themselves where nobody may approve their own, by what never changes: issuer and subject.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from configsvc.domain import claims as said
from configsvc.domain.policy import Grant
from configsvc.errors import Conflict, SetupError, Unauthenticated
from configsvc.service import tokens
from configsvc.service.access import new_token
from configsvc.service.accounts import at_the_command_line
from configsvc.service.sessions import Sessions
from configsvc.service.sign_in import Visit
from configsvc.service.tokens import Wanted
from configsvc.store import audit
from configsvc.store import people as store
from configsvc.store.access import NewGrant
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, Database

_ACTOR = "OpenID Connect"
_SUBJECT_CHARACTERS_MAX = 255


@dataclass(frozen=True)
class Claiming:
    """How claims are read: which holds the name, which says what one may do, and what by which value."""

    name_claim: str
    roles_claim: str
    may: Mapping[str, frozenset[Grant]]


class People:
    """Signs in whom the provider vouches for."""

    def __init__(self, database: Database, sessions: Sessions, claiming: Claiming) -> None:
        self._database = database
        self._sessions = sessions
        self._claiming = claiming

    def enter(self, claims: Mapping[str, Any], visit: Visit) -> str:
        """Begin a session; return what the browser's cookie then holds. ``claims`` are verified.

        Raises:
            Unauthenticated: they may do nothing here, were sent away, or have no name that is theirs.
        """
        issuer, subject = claims["iss"], claims["sub"]
        if not (subject.isprintable() and 0 < len(subject) <= _SUBJECT_CHARACTERS_MAX):
            raise Unauthenticated("the provider's ID token names nobody")
        grants = said.grants(claims, self._claiming.roles_claim, self._claiming.may)
        with self._database.transaction() as connection:
            store.lock(connection, issuer, subject)
            person = store.person(connection, issuer, subject)
            if person is not None and person["revoked"]:
                raise Unauthenticated(f"{person['name']} was revoked here: `configsvc account readmit` undoes that")
            if person is not None:
                _set_grants(connection, person["token_id"], grants, visit)
            if grants:
                if person is None:
                    token_id, name = self._make(connection, claims, grants, visit)
                else:
                    token_id, name = person["token_id"], person["name"]
                origin = Origin(name, visit.request_id, visit.address)
                return self._sessions.begin(connection, token_id, origin, "openid")
        # Outside, so that what was taken away is.
        raise Unauthenticated(
            "you have no role in configsvc: nothing in your claim "
            f"{self._claiming.roles_claim} gives one. Ask whoever runs it"
        )

    def _make(
        self, connection: Connection, claims: Mapping[str, Any], grants: Set[Grant], visit: Visit
    ) -> tuple[str, str]:
        issuer, subject = claims["iss"], claims["sub"]
        try:
            name = said.name(claims, self._claiming.name_claim)
        except ValueError as error:
            raise Unauthenticated(f"you have no name: {error}") from None
        try:
            _, token_id, secret_hash = new_token()  # its secret is forgotten here
            wanted = Wanted(name, [_new(grant) for grant in grants])
            tokens.keep(connection, _origin(visit), wanted, f"{issuer}#{subject}", token_id, secret_hash)
        except Conflict:
            raise Unauthenticated(f"somebody else is called {name} here: ask whoever runs configsvc") from None
        store.insert(connection, issuer, subject, token_id)
        return token_id, name


def readmit(database_url: str, name: str, *, actor: str) -> None:
    """Let somebody whose account was revoked begin anew with their next sign-in.

    Raises:
        SetupError: there is nobody of this name who was revoked.
    """
    with at_the_command_line(database_url) as (_, connection):
        if not store.forget_revoked(connection, name):
            raise SetupError(f"nobody named {name} signed in by OpenID Connect and was revoked")
        audit.record(connection, Origin(actor, "", "local"), "account.readmit", {"name": name})


def _set_grants(connection: Connection, token_id: str, grants: Set[Grant], visit: Visit) -> None:
    kept = {_grant(row): row["id"] for row in store.grants(connection, token_id)}
    for grant in kept.keys() - grants:
        tokens.take_back(connection, _origin(visit), kept[grant])
    for grant in grants - kept.keys():
        tokens.give(connection, _origin(visit), token_id, _new(grant))


def _grant(row: Mapping[str, Any]) -> Grant:
    return Grant(row["role"], row["namespaces"], None if row["envs"] is None else frozenset(row["envs"]))


def _new(grant: Grant) -> NewGrant:
    return NewGrant(grant.role, grant.namespaces, None if grant.envs is None else sorted(grant.envs))


def _origin(visit: Visit) -> Origin:
    return Origin(_ACTOR, visit.request_id, visit.address)
