"""Use cases around declared keys: their type never changes, their schema may."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configsvc.crypto.envelope import Place
from configsvc.domain import names, schemas
from configsvc.domain.policy import Action
from configsvc.domain.releases import SchemaEdit
from configsvc.errors import Conflict, Forbidden, NotFound, ReviewRequired, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.service.secrets import Secrets
from configsvc.store import audit
from configsvc.store import catalog as store
from configsvc.store.database import Connection, Database, Row

#: One error names this many keys; more would not be read.
TAKEN_SHOWN_MAX = 20
#: As many keys at once make the plans of before them wrong.
MANY_KEYS = 500


@dataclass(frozen=True)
class Declaration:
    """A key to declare. ``schema``: JSON Schema 2020-12, None without one. ``field``: where it stands in the body."""

    name: str
    type: str
    description: str = ""
    secret: bool = False
    schema: object = None
    field: str = ""

    def at(self, name: str) -> str:
        """Return how errors name a part of it."""
        return f"{self.field}.{name}" if self.field else name


class Keys:
    """Declares keys and changes what may change about them."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets

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

    def declare(self, caller: Caller, namespace: str, declarations: Sequence[Declaration]) -> Sequence[Row]:
        """Declare keys of a namespace, all of them or none.

        Raises:
            ValidationFailed: a name or a schema is not possible, a key stands twice, or secrets can't be kept here.
            Conflict: some are declared already; they are named.
        """
        _check_names(declarations)
        caller.require(Action.DECLARE, namespace, None)
        if any(each.secret for each in declarations):
            self._secrets.require_keys()
        if not store.namespace_exists(self._database, namespace):
            raise not_found(namespace, None)
        with self._database.transaction() as connection:
            rows = {row["name"]: row for row in declare(connection, caller, namespace, declarations)}
            if taken := [each.name for each in declarations if each.name not in rows]:
                more = f" and {len(taken) - TAKEN_SHOWN_MAX} more" if len(taken) > TAKEN_SHOWN_MAX else ""
                are = "is" if len(taken) == 1 else "are"
                raise Conflict(f"{', '.join(taken[:TAKEN_SHOWN_MAX])}{more} {are} declared in {namespace} already")
            if len(rows) >= MANY_KEYS:
                store.count_keys(connection)
            record_declared(connection, caller, namespace, declarations)
        return [rows[each.name] for each in declarations]

    def change(
        self, caller: Caller, namespace: str, name: str, changes: dict[str, object], break_glass: str | None
    ) -> Row:
        """Change a key's ``description`` or ``schema``, whichever is given.

        Raises:
            ValidationFailed: the schema is not usable, or a present value breaks it; each environment is named.
            Forbidden, ReviewRequired: the schema of a key that has a value in a protected environment changes like
                that value: by a request, or by breaking the glass.
        """
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            if break_glass:
                # It is recorded among their releases. First the environments, then the key, as commits lock them.
                store.lock_environments(connection)
            key = lock(connection, namespace, name)
            description = str(changes.get("description", key["description"]))
            schema = schema_text(changes["schema"], schemas.Checks()) if "schema" in changes else key["schema"]
            if schema == key["schema"]:
                row = store.change_key(connection, key["id"], description, schema)
                audit.record(
                    connection,
                    caller.origin,
                    "key.update",
                    {"key": name, "description": description},
                    namespaces=[namespace],
                )
                return row
            present = store.values_of_key(connection, key["id"])
            protected = _protected(caller, namespace, present, break_glass)
            check_values(schema, present)
            row = store.change_key(connection, key["id"], description, schema)
            for env in protected:
                record_schema(connection, caller, namespace, name, changes["schema"], {"break_glass": break_glass}, env)
            record_schema(connection, caller, namespace, name, changes["schema"], {})
        return row

    def delete(self, caller: Caller, namespace: str, name: str) -> None:
        """Delete a key that has a value in no environment.

        Raises:
            Conflict: it has one; the environments are named.
        """
        caller.require(Action.DECLARE, namespace, None)
        with self._database.transaction() as connection:
            key = lock(connection, namespace, name)
            if used := store.values_of_key(connection, key["id"]):
                visible = [row["env"] for row in used if caller.may(Action.READ, namespace, row["env"])]
                envs = ", ".join(visible) or "an environment that you have no grant on"
                raise Conflict(f"{name} still has a value in {envs}: unset it there first")
            store.delete_key(connection, key["id"])
            audit.record(connection, caller.origin, "key.delete", {"key": name}, namespaces=[namespace])


def lock(connection: Connection, namespace: str, name: str) -> Row:
    """Keep commits from using a key until the end of the transaction, and return it; NotFound if it is not declared."""
    key = store.lock_key(connection, namespace, name)
    if key is None:
        raise _no_key(namespace, name)
    return key


def require_sight(caller: Caller, namespace: str, present: Sequence[Row]) -> None:
    """Refuse whoever may not see where a key has values, before an environment is named that they may not know of."""
    if any(not caller.may(Action.READ, namespace, row["env"]) for row in present):
        raise Forbidden("the key has a value in an environment that you have no grant on: ask somebody who has one")


def _protected(caller: Caller, namespace: str, present: Sequence[Row], break_glass: str | None) -> Sequence[str]:
    """Refuse whoever may not change what values have to be like; return where that breaks the glass."""
    require_sight(caller, namespace, present)
    protected = [row["env"] for row in present if row["review_required"]]
    for row in present:
        action = Action.BREAK_GLASS if row["review_required"] and break_glass else Action.WRITE
        caller.require(action, namespace, row["env"], bool(row["review_required"]))
    if protected and not break_glass:
        raise ReviewRequired(protected[0])
    return protected


def check_values(schema: str | None, present: Sequence[Row]) -> None:
    """Raise ValidationFailed where a present value would break a schema; each environment is named.

    Secrets are not held against it: what a schema says of them would tell them, bit by bit.
    """
    if schema is None:
        return
    plain = [row for row in present if row["value_id"] is None]
    found = [(row["env"], schemas.Checks().problem(schema, json.loads(row["value"]))) for row in plain]
    if errors := [
        ("schema", f"the present value in {env} would break it: {problem}") for env, problem in found if problem
    ]:
        raise ValidationFailed(errors)


def present_texts(secrets: Secrets, namespace: str, name: str, present: Sequence[Row]) -> Sequence[str]:
    """Return what a key's values are in its environments, secret or not. Don't keep them."""
    places = [Place(namespace, row["env"], name, row["value_id"]) for row in present if row["value_id"] is not None]
    opened = iter(secrets.open(places))
    return [row["value"] if row["value_id"] is None else next(opened) for row in present]


def give_schema(connection: Connection, caller: Caller, env: str, edit: SchemaEdit) -> None:
    """Give a key the schema that a request of an environment proposed for it.

    Raises:
        Forbidden: the key has a value where the caller may not look: a refusal would tell of both.
        Conflict: the key was defined anew since, or has a value in another protected environment, whose people did not
            approve this.
        ValidationFailed: a present value would break it.
    """
    key = lock(connection, edit.namespace, edit.key)
    if edit.definition not in (None, key["definition"]):
        raise Conflict(f"{edit.namespace}/{edit.key} was given another schema since: edit the request, and look again")
    schema = schema_text(edit.schema, schemas.Checks())
    present = store.values_of_key(connection, key["id"])
    require_sight(caller, edit.namespace, present)
    if any(row["review_required"] and row["env"] != env for row in present):
        raise Conflict(
            f"{edit.namespace}/{edit.key} has a value in another protected environment: propose its schema there, or, "
            "where there are several, break the glass"
        )
    check_values(schema, present)
    store.change_key(connection, key["id"], key["description"], schema)


def record_schema(
    connection: Connection,
    caller: Caller,
    namespace: str,
    name: str,
    schema: object,
    leave: Mapping[str, object],
    env: str | None = None,
) -> None:
    """Record a change of a key's schema, at the end of the transaction: what it locks comes last.

    ``env``: among the releases of an environment that the caller has locked.
    """
    details = {"key": name, "schema": schema, **leave}
    audit.record(
        connection, caller.origin, "key.update", details, env=env, in_order=env is not None, namespaces=[namespace]
    )


def record_declared(
    connection: Connection, caller: Caller, namespace: str, declarations: Sequence[Declaration]
) -> None:
    """Record that keys of a namespace were declared, at the end of the transaction: what it locks comes last."""
    details = [{"key": each.name, "type": each.type, "secret": each.secret} for each in declarations]
    audit.record_all(connection, caller.origin, "key.declare", details, namespaces=[namespace])


def declare(
    connection: Connection, caller: Caller, namespace: str, declarations: Sequence[Declaration]
) -> Sequence[Row]:
    """Declare keys of a namespace in the caller's transaction; ``record_declared`` belongs to it.

    Returns those that were declared: not those whose names are taken, and none where the namespace is unknown.
    """
    checks = schemas.Checks()
    return store.insert_keys(
        connection,
        namespace=namespace,
        names=[each.name for each in declarations],
        types=[each.type for each in declarations],
        descriptions=[each.description for each in declarations],
        secrets=[each.secret for each in declarations],
        schemas=[schema_text(each.schema, checks, each.at("schema")) for each in declarations],
        actor=caller.name,
    )


def schema_text(schema: object, checks: schemas.Checks, field: str = "schema") -> str | None:
    """Return the canonical text of a schema, None without one; ValidationFailed says what is wrong with it."""
    if schema is None:
        return None
    try:
        return checks.to_text(schema)
    except ValueError as error:
        raise ValidationFailed([(field, str(error))]) from None


def _check_names(declarations: Sequence[Declaration]) -> None:
    seen: set[str] = set()
    for each in declarations:
        names.check_key(each.name, each.at("key"))
        if each.name in seen:
            raise ValidationFailed([(each.at("key"), "stands here a second time")])
        seen.add(each.name)


def _no_key(namespace: str, name: str) -> NotFound:
    return NotFound(f"there is no key {name} declared in {namespace}")
