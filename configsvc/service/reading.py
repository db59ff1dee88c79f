"""Reads of settings: one scope, one key."""

from collections.abc import Callable
from dataclasses import dataclass

from configsvc.domain import cursors
from configsvc.domain.policy import Action
from configsvc.errors import NotFound
from configsvc.service.access import Caller, not_found
from configsvc.service.bodies import Bodies, Label
from configsvc.store import config as store
from configsvc.store.database import Database, Row
from configsvc.together import Together


@dataclass(frozen=True)
class Scope:
    """A scope at its last release, and whether the caller sees secrets only masked."""

    label: Label
    masked: bool


class Reading:
    """Answers what settings are now."""

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._database = database
        self._bodies = bodies
        self._label = Together[tuple[str, str], Label | None](lambda scope: _label(database, *scope))

    def scope(self, caller: Caller, namespace: str, env: str) -> Scope:
        """Find a scope; one look-up, enough to answer 304, and shared by all who ask at the same time."""
        caller.require(Action.READ, namespace, env)
        label = self._label((namespace, env))
        if label is None:
            raise not_found(namespace, env)
        masked = not caller.may(Action.READ_SECRETS, namespace, env)
        return Scope(label, masked)

    def document(self, scope: Scope, render: Callable[[str], bytes]) -> bytes:
        """Return what ``render`` makes of the JSON object of the scope's values; from memory if it was made before."""
        return self._bodies.document(scope.label, render)

    def key(self, caller: Caller, namespace: str, env: str, key: str) -> Row:
        """Return one key's active version.

        Raises:
            NotFound: the key is not declared, or has no value here; the message says which.
        """
        caller.require(Action.READ, namespace, env)
        row = store.active(self._database, namespace, env, key)
        if row is None:
            raise NotFound(f"there is no key {key} in {namespace}, no environment {env}, or you have no grant there")
        if row["value"] is None:
            raise NotFound(f"{namespace}/{key} has no value in {env}")
        return row


def _label(database: Database, namespace: str, env: str) -> Label | None:
    row = store.scope_label(database, namespace, env)
    if row is None:
        return None
    return Label(row["env_id"], row["namespace_id"], row["revision"], cursors.render(row["revision"], row["hash"]))
