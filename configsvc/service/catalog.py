"""Use cases around environments and namespaces."""

from collections.abc import Mapping, Sequence

from configsvc.domain import names
from configsvc.domain.policy import Action
from configsvc.service.access import Caller, not_found
from configsvc.store import audit
from configsvc.store import catalog as store
from configsvc.store.database import Database, Row


class Catalog:
    """What there is: environments and namespaces."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def environments(self, caller: Caller) -> Sequence[Row]:
        """The environments in which the caller has a grant."""
        return [row for row in store.environments(self._database) if caller.may(Action.READ, None, row["name"])]

    def create_environment(self, caller: Caller, values: Mapping[str, object]) -> Mapping[str, object]:
        """Create an environment; for admins."""
        caller.require(Action.ADMINISTER, None, None)
        names.check_env(str(values["name"]), "name")
        with self._database.transaction() as connection:
            store.create_environment(connection, **values, actor=caller.name)
            audit.record(
                connection, caller.origin, "environment.create", dict(values), env=str(values["name"]), in_order=True
            )
        return {**values, "revision": 0}

    def update_environment(self, caller: Caller, name: str, values: Mapping[str, object]) -> Row:
        """Change an environment's description or protection; for admins."""
        caller.require(Action.ADMINISTER, None, None)
        with self._database.transaction() as connection:
            row = store.update_environment(connection, name=name, **values)
            if row is None:
                raise not_found(None, name)
            changed = {field: value for field, value in values.items() if value is not None}
            audit.record(connection, caller.origin, "environment.update", changed, env=name, in_order=True)
        return row

    def namespaces(self, caller: Caller, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """A page of the namespaces that the caller has a grant on, and where the next page begins."""
        rows = store.namespaces(self._database, before, limit)
        visible = [row for row in rows if caller.may(Action.READ, row["name"], None)]
        return visible, rows[-1]["id"] if len(rows) == limit else None

    def create_namespace(self, caller: Caller, name: str, description: str) -> Row:
        """Create a namespace; for admins."""
        caller.require(Action.ADMINISTER, None, None)
        names.check_namespace(name, "name")
        with self._database.transaction() as connection:
            row = store.insert_namespace(connection, name=name, description=description, actor=caller.name)
            audit.record(connection, caller.origin, "namespace.create", {}, namespaces=[name])
        return row
