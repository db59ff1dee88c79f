"""Making tokens. The secret is shown once, here; the database keeps its hash."""

from collections.abc import Sequence

from configsvc.domain.policy import ROLES
from configsvc.errors import RequestError, SetupError
from configsvc.service.access import new_token
from configsvc.store import access as store
from configsvc.store.access import NewToken, Origin
from configsvc.store.database import Database


def create(
    database_url: str, *, name: str, role: str, namespaces: str = "*", envs: Sequence[str] | None = None, actor: str
) -> str:
    """Create a token with one grant and return it; nobody can read it again.

    Raises:
        SetupError: the role is unknown, the name is taken, or the database does not answer.
    """
    if role not in ROLES:
        raise SetupError(f"role {role} is unknown: choose one of {', '.join(ROLES)}")
    token, token_id, secret_hash = new_token()
    database = Database(database_url)
    try:
        with database.transaction() as connection:
            new = NewToken(token_id, name, secret_hash, role, namespaces, envs or None, created_by=actor)
            store.insert_token(connection, new)
            details = {
                "token": token_id,
                "name": name,
                "role": role,
                "namespaces": namespaces,
                "envs": list(envs or []),
            }
            store.record_audit_event(connection, Origin(actor, "", "local"), "token.create", details)
    except RequestError as error:
        raise SetupError(error.detail) from error
    finally:
        database.close()
    return token
