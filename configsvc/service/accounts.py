"""Accounts, at the command line: made there, given a password, and a link that signs in once.

An account made over HTTP would count as its maker where nobody may approve their own, as tokens do: whoever sets the
first password holds it. So accounts begin where the operator is.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher

from configsvc.errors import RequestError, SetupError
from configsvc.service import tokens
from configsvc.service.access import new_token
from configsvc.service.sessions import digest
from configsvc.service.tokens import Wanted
from configsvc.store import audit
from configsvc.store import sessions as store
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, Database

#: OWASP's choice for argon2id: some 20 ms, which is also how long it keeps a web worker from all else.
HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
PASSWORD_CHARACTERS_MIN, PASSWORD_CHARACTERS_MAX = 12, 1_000
#: As long as one may take to open the link that one was sent.
LINK_LASTS_S = 3600.0


def create(database_url: str, wanted: Wanted, password: str, *, actor: str) -> None:
    """Make an account; it counts as a person of its own.

    Raises:
        SetupError: something in it is not possible, the name is taken, or the database does not answer.
    """
    _check_password(password)
    with at_the_command_line(database_url) as (database, connection):
        for grant in wanted.grants:
            tokens.check_grant(database, grant, "")
        origin = Origin(actor, "", "local")
        _, token_id, secret_hash = new_token()  # its secret is forgotten here
        tokens.keep(connection, origin, wanted, wanted.name, token_id, secret_hash)
        store.insert_account(connection, token_id, HASHER.hash(password))


def change_password(database_url: str, name: str, password: str, *, actor: str) -> None:
    """Give an account another password, and end its sessions.

    Raises:
        SetupError: there is no such account, or the password is too short.
    """
    _check_password(password)
    with at_the_command_line(database_url) as (database, connection):
        token_id = _token_id(database, name)
        if not store.set_password(connection, token_id, HASHER.hash(password)):
            raise SetupError(f"{name} is a token, and has no password")
        store.delete_sessions_of(connection, token_id)
        audit.record(connection, Origin(actor, "", "local"), "account.password", {"token": token_id, "name": name})


def link(database_url: str, name: str, *, actor: str, lasts_s: float = LINK_LASTS_S) -> str:
    """Return the path of a page that signs one browser in as an account or token, once.

    Raises:
        SetupError: there is no such account or token.
    """
    with at_the_command_line(database_url) as (database, connection):
        token_id = _token_id(database, name)
        secret = secrets.token_urlsafe(32)
        store.insert_link(connection, digest(secret), token_id, lasts_s)
        audit.record(connection, Origin(actor, "", "local"), "account.link", {"token": token_id, "name": name})
    return f"/ui/sign-in/{secret}"


@contextmanager
def at_the_command_line(database_url: str) -> Iterator[tuple[Database, Connection]]:
    """Give a database and a transaction for one command; what goes wrong becomes its SetupError."""
    database = Database(database_url)
    try:
        with database.transaction() as connection:
            yield database, connection
    except RequestError as error:
        raise SetupError(error.detail) from error
    finally:
        database.close()


def _token_id(database: Database, name: str) -> str:
    token_id = store.live_token_named(database, name)
    if token_id is None:
        raise SetupError(f"there is no live account or token named {name}")
    return token_id


def _check_password(password: str) -> None:
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX:
        raise SetupError(
            f"a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters: several words are fine"
        )
