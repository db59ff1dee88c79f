"""Use cases around environments, namespaces and declared keys."""

from collections.abc import Mapping, Sequence

from configsvc.domain import names
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, NotFound, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.store import access as audit
from configsvc.store import catalog as store
from configsvc.store.database import Connection, Database, Row


class Catalog:
    """What there is: environments, namespaces, keys."""

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
            audit.record_audit_event(connection, caller.origin, "environment.create", dict(values))
        return {**values, "revision": 0}

    def update_environment(self, caller: Caller, name: str, values: Mapping[str, object]) -> Row:
        """Change an environment's description or protection; for admins."""
        caller.require(Action.ADMINISTER, None, None)
        with self._database.transaction() as connection:
            row = store.update_environment(connection, name=name, **values)
            if row is None:
                raise not_found(None, name)
            audit.record_audit_event(connection, caller.origin, "environment.update", {"name": name, **values})
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
            audit.record_audit_event(connection, caller.origin, "namespace.create", {"name": name})
        return row

    def keys(self, caller: Caller, namespace: str, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """A page of a namespace's keys, and where the next page begins."""
        caller.require(Action.READ, namespace, None)
        rows = store.keys(self._database, namespace, before, limit)
        if not rows and not store.namespace_exists(self._database, namespace):
            raise not_found(namespace, None)
        return rows, rows[-1]["id"] if len(rows) == limit else None

    def key(self, caller: Caller, namespace: str, name: str) -> Row:
        """One declared key."""
        caller.require(Action.READ, namespace, None)
        row = store.key(self._database, namespace, name)
        if row is None:
            raise _no_key(namespace, name)
        return row

    def declare_key(
        self, caller: Caller, namespace: str, name: str, *, type_: str, description: str, secret: bool
    ) -> Row:
        """Declare a key; its type never changes.

        Raises:
            Conflict: the key is declared already.
        """
        names.check_key(name)
        refuse_secret(secret)
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            row = declare(connection, caller, namespace, name, type_=type_, description=description)
        if row is not None:
            return row
        if not store.namespace_exists(self._database, namespace):
            raise not_found(namespace, None)
        raise Conflict(f"{name} is declared in {namespace} already")

    def describe_key(self, caller: Caller, namespace: str, name: str, description: str) -> Row:
        """Change a key's description."""
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            row = store.describe_key(connection, namespace, name, description)
            if row is None:
                raise _no_key(namespace, name)
            audit.record_audit_event(connection, caller.origin, "key.update", {"namespace": namespace, "key": name})
        return row

    def delete_key(self, caller: Caller, namespace: str, name: str) -> None:
        """Delete a key that has a value in no environment.

        Raises:
            Conflict: it has one; the environments are named.
        """
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            if not store.delete_key(connection, namespace, name):
                raise _no_key(namespace, name)
            audit.record_audit_event(connection, caller.origin, "key.delete", {"namespace": namespace, "key": name})


def declare(
    connection: Connection, caller: Caller, namespace: str, name: str, *, type_: str, description: str = ""
) -> Row | None:
    """Declare a key in the caller's transaction, with its audit row.

    None where the name is taken or the namespace unknown.
    """
    row = store.insert_key(
        connection, namespace=namespace, name=name, type=type_, description=description, secret=False, actor=caller.name
    )
    if row is not None:
        details = {"namespace": namespace, "key": name, "type": type_}
        audit.record_audit_event(connection, caller.origin, "key.declare", details)
    return row


def refuse_secret(secret: bool) -> None:
    """Raise ValidationFailed for a secret key: nothing is ever stored in clear under one."""
    if secret:
        raise ValidationFailed([("secret", "this version keeps no secrets: it could only store them in clear")])


def _no_key(namespace: str, name: str) -> NotFound:
    return NotFound(f"there is no key {name} declared in {namespace}")
