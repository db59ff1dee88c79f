"""People whom an OpenID provider vouches for."""

from collections.abc import Sequence

from configsvc.store.database import Connection, Row
from configsvc.store.queries import load

_SQL = load("people")


def lock(connection: Connection, issuer: str, subject: str) -> None:
    """Let one transaction at a time sign somebody in."""
    connection.execute(_SQL["lock"], {"issuer": issuer, "subject": subject})


def person(connection: Connection, issuer: str, subject: str) -> Row | None:
    """Return token_id and name of somebody's account, and whether it was revoked."""
    return connection.execute(_SQL["person"], {"issuer": issuer, "subject": subject}).fetchone()


def insert(connection: Connection, issuer: str, subject: str, token_id: str) -> None:
    """Let somebody sign in as a token that was made in the same transaction."""
    connection.execute(_SQL["insert"], {"issuer": issuer, "subject": subject, "token_id": token_id})


def grants(connection: Connection, token_id: str) -> Sequence[Row]:
    """Return the grants that somebody has."""
    return connection.execute(_SQL["grants"], {"token_id": token_id}).fetchall()


def forget_revoked(connection: Connection, name: str) -> bool:
    """Forget who was revoked under a name; False where nobody was."""
    return connection.execute(_SQL["forget_revoked"], {"name": name}).rowcount > 0
