"""Accounts, the sessions of their browsers, and links that sign somebody in once."""

from configsvc.store.database import Connection, Database, Row
from configsvc.store.queries import load

_SQL = load("sessions")


def account_by_name(database: Database, name: str) -> Row | None:
    """Return token_id and password_hash of a live account."""
    return database.one(_SQL["account_by_name"], {"name": name})


def insert_account(connection: Connection, token_id: str, password_hash: str) -> None:
    """Let somebody sign in as a token."""
    connection.execute(_SQL["insert_account"], {"token_id": token_id, "password_hash": password_hash})


def set_password(connection: Connection, token_id: str, password_hash: str) -> bool:
    """Give an account another password; False where there is no account."""
    params = {"token_id": token_id, "password_hash": password_hash}
    return connection.execute(_SQL["set_password"], params).rowcount == 1


def live_token_named(database: Database, name: str) -> str | None:
    """Return the id of the live token of this name."""
    row = database.one(_SQL["live_token_named"], {"name": name})
    return None if row is None else str(row["id"])


def insert_session(connection: Connection, id_hash: bytes, token_id: str, seconds: float) -> None:
    """Store a session that lasts so long."""
    connection.execute(_SQL["insert_session"], {"id_hash": id_hash, "token_id": token_id, "seconds": seconds})


def session(database: Database, id_hash: bytes) -> Row | None:
    """Return the token that a live session acts as, with its grants, and when the session ends."""
    return database.one(_SQL["session"], {"id_hash": id_hash})


def delete_session(connection: Connection, id_hash: bytes) -> None:
    """End one session."""
    connection.execute(_SQL["delete_session"], {"id_hash": id_hash})


def delete_sessions_of(connection: Connection, token_id: str) -> None:
    """End all sessions of a token."""
    connection.execute(_SQL["delete_sessions_of"], {"token_id": token_id})


def insert_link(connection: Connection, secret_hash: bytes, token_id: str, seconds: float) -> None:
    """Store a link that can be used for so long; earlier ones of the token end."""
    connection.execute(_SQL["delete_links_of"], {"token_id": token_id})
    connection.execute(_SQL["insert_link"], {"secret_hash": secret_hash, "token_id": token_id, "seconds": seconds})


def link(database: Database, secret_hash: bytes) -> Row | None:
    """Return token_id and name of whom an unused link signs in."""
    return database.one(_SQL["link"], {"secret_hash": secret_hash})


def use_link(connection: Connection, secret_hash: bytes) -> str | None:
    """Use a link up and return the token's id; None where somebody has, or its time is over."""
    row = connection.execute(_SQL["use_link"], {"secret_hash": secret_hash}).fetchone()
    return None if row is None else str(row["token_id"])
