"""Who follows which settings now."""

from collections.abc import Mapping, Sequence
from typing import Any

from configsvc.domain.policy import Action
from configsvc.service.access import Caller, not_found
from configsvc.store import catalog
from configsvc.store import watch as store
from configsvc.store.database import Database


class Watchers:
    """Names the live clients."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def live(self, caller: Caller, env: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        """Return the clients that have synced lately, as far as they follow what the caller may read."""
        caller.require(Action.READ, namespace, env)
        if catalog.environment(self._database, env) is None:
            raise not_found(None, env)
        if namespace is not None and not catalog.namespace_exists(self._database, namespace):
            raise not_found(namespace, env)
        rows = store.live(self._database, env, namespace)
        named = [
            {**row, "namespaces": [name for name in row["namespaces"] if caller.may(Action.READ, name, env)]}
            for row in rows
        ]
        return [row for row in named if row["namespaces"]]
