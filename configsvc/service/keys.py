"""Use cases around declared keys: their type never changes, their schema may."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain import names, schemas
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, NotFound, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.store import access as audit
from configsvc.store import catalog as store
from configsvc.store.database import Connection, Database, Row


@dataclass(frozen=True)
class Declaration:
    """A key to declare. ``schema``: JSON Schema 2020-12, None without one."""

    namespace: str
    name: str
    type: str
    description: str = ""
    secret: bool = False
    schema: object = None


class Keys:
    """Declares keys and changes what may change about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, caller: Caller, namespace: str, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """Return a page of a namespace's keys, newest first, and where the next page begins."""
        caller.require(Action.READ, namespace, None)
        rows = store.keys(self._database, namespace, before, limit)
        if not rows and not store.namespace_exists(self._database, namespace):
            raise not_found(namespace, None)
        return rows, rows[-1]["id"] if len(rows) == limit else None

    def one(self, caller: Caller, namespace: str, name: str) -> Row:
        """Return one declared key."""
        caller.require(Action.READ, namespace, None)
        row = store.key(self._database, namespace, name)
        if row is None:
            raise _no_key(namespace, name)
        return row

    def declare(self, caller: Caller, declaration: Declaration) -> Row:
        """Declare a key.

        Raises:
            ValidationFailed: the name or the schema is not possible, or the key is to be secret.
            Conflict: the key is declared already.
        """
        names.check_key(declaration.name)
        if declaration.secret:
            raise ValidationFailed([("secret", "this version keeps no secrets: it could only store them in clear")])
        caller.require(Action.DECLARE, declaration.namespace, None)
        with self._database.transaction() as connection:
            row = declare(connection, caller, declaration)
        if row is not None:
            return row
        if not store.namespace_exists(self._database, declaration.namespace):
            raise not_found(declaration.namespace, None)
        raise Conflict(f"{declaration.name} is declared in {declaration.namespace} already")

    def change(self, caller: Caller, namespace: str, name: str, changes: dict[str, object]) -> Row:
        """Change a key's ``description`` or ``schema``, whichever is given.

        Raises:
            ValidationFailed: the schema is not usable, or a present value breaks it; each environment is named.
            Forbidden: the schema of a key that has a value in a protected environment takes the right to write there.
        """
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            key = store.lock_key(connection, namespace, name)
            if key is None:
                raise _no_key(namespace, name)
            schema = schema_text(changes["schema"]) if "schema" in changes else key["schema"]
            if schema != key["schema"]:
                self._check_present(caller, namespace, schema, store.values_of_key(connection, key["id"]))
            row = store.change_key(connection, key["id"], str(changes.get("description", key["description"])), schema)
            details = {"namespace": namespace, "key": name, "changed": sorted(changes)}
            audit.record_audit_event(connection, caller.origin, "key.update", details)
        return row

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        """Delete a key that has a value in no environment.

        Raises:
            Conflict: it has one; the environments are named.
        """
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            key = store.lock_key(connection, namespace, name)
            if key is None:
                raise _no_key(namespace, name)
            if used := store.values_of_key(connection, key["id"]):
                envs = ", ".join(row["env"] for row in used)
                raise Conflict(f"{name} still has a value in {envs}: unset it there first")
            store.delete_key(connection, key["id"])
            audit.record_audit_event(connection, caller.origin, "key.delete", {"namespace": namespace, "key": name})

    def _check_present(self, caller: Caller, namespace: str, schema: str | None, present: Sequence[Row]) -> None:
        errors = []
        for row in present:
            if row["review_required"]:
                caller.require(Action.WRITE, namespace, row["env"], protected=True)
            if schema and (problem := schemas.problem(schema, json.loads(row["value"]))):
                errors.append(("schema", f"the present value in {row['env']} would break it: {problem}"))
        if errors:
            raise ValidationFailed(errors)


def declare(connection: Connection, caller: Caller, declaration: Declaration) -> Row | None:
    """Declare a key in the caller's transaction, with its audit row.

    Returns None where the name is taken or the namespace unknown.
    """
    row = store.insert_key(
        connection,
        namespace=declaration.namespace,
        name=declaration.name,
        type=declaration.type,
        description=declaration.description,
        secret=False,
        schema=schema_text(declaration.schema),
        actor=caller.name,
    )
    if row is not None:
        details = {"namespace": declaration.namespace, "key": declaration.name, "type": declaration.type}
        audit.record_audit_event(connection, caller.origin, "key.declare", details)
    return row


def schema_text(schema: object) -> str | None:
    """Return the canonical text of a schema, None without one; ValidationFailed says what is wrong with it."""
    if schema is None:
        return None
    try:
        return schemas.to_text(schema)
    except ValueError as error:
        raise ValidationFailed([("schema", str(error))]) from None


def _no_key(namespace: str, name: str) -> NotFound:
    return NotFound(f"there is no key {name} declared in {namespace}")
