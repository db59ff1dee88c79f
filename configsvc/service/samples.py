"""What `configsvc dev` has ready for a newcomer: three namespaces, and one token for each role."""

from collections.abc import Mapping

from configsvc.service.access import new_token, parts_of
from configsvc.service.tokens import Wanted, keep
from configsvc.store import access as store
from configsvc.store import audit, catalog
from configsvc.store.access import NewGrant
from configsvc.store.audit import Origin
from configsvc.store.database import Database

_ACTOR = "configsvc dev"
_ORIGIN = Origin(_ACTOR, "", "local")
NAMESPACES = {
    "global": "Settings that every application reads",
    "payments": "A sample: what the payments team owns",
    "search": "A sample: what the search team owns",
}
ROLES = ("admin", "ops", "developer", "viewer", "service")


def ensure(database_url: str, tokens: Mapping[str, str] | None) -> dict[str, str]:
    """Make the samples that are not there yet and return the tokens by role.

    ``tokens``: those of the last start; they are made valid again if the database does not know them (it may be new).
    """
    database = Database(database_url)
    try:
        for name, description in NAMESPACES.items():
            if not catalog.namespace_exists(database, name):
                with database.transaction() as connection:
                    catalog.insert_namespace(connection, name=name, description=description, actor=_ACTOR)
                    audit.record(connection, _ORIGIN, "namespace.create", {}, namespaces=[name])
        kept = dict(tokens or {})
        return {role: _ensure_token(database, role, kept.get(role)) for role in ROLES}
    finally:
        database.close()


def _ensure_token(database: Database, role: str, kept: str | None) -> str:
    if kept is None:
        token, token_id, secret_hash = new_token()
    else:
        token = kept
        token_id, secret_hash = parts_of(kept)
        if store.token_by_id(database, token_id) is not None:
            return token
    with database.transaction() as connection:
        # A token of this name whose secret was lost with its file is of no use to anybody.
        store.revoke_token_named(connection, role)
        wanted = Wanted(role, [NewGrant(role, "*", None)])
        keep(connection, _ORIGIN, wanted, role, token_id, secret_hash)
    return token
