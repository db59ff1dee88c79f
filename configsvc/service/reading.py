"""Reads of settings: one scope, one key."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from configsvc.crypto.envelope import Place
from configsvc.domain import cursors
from configsvc.domain.policy import Action
from configsvc.errors import Conflict, NotFound
from configsvc.service.access import Caller, not_found
from configsvc.service.bodies import Bodies, Label
from configsvc.service.secrets import Secrets
from configsvc.store import audit
from configsvc.store import config as store
from configsvc.store.database import Database, Row
from configsvc.together import Together


class Scope(NamedTuple):
    """A scope at its last release, and whether the caller sees secrets only masked."""

    label: Label
    masked: bool


@dataclass(frozen=True)
class KeyState:
    """One key's active version, and whether the caller sees it masked: it is a secret, and not for them."""

    row: Row
    masked: bool

    @property
    def secret(self) -> bool:
        """Whether this version is one."""
        return self.row["value_id"] is not None


class Reading:
    """Answers what settings are now."""

    def __init__(self, database: Database, bodies: Bodies, secrets: Secrets) -> None:
        self._database = database
        self._bodies = bodies
        self._secrets = secrets
        self._label = Together[tuple[str, str], Label | None](lambda scope: _label(database, *scope))

    def scope(self, caller: Caller, namespace: str, env: str, since: float | None = None) -> Scope:
        """Find a scope; one look-up, enough to answer 304, and shared by all who ask at the same time.

        ``since``: when the request began, by the monotonic clock: a look-up that others began later will do.
        """
        caller.require(Action.READ, namespace, env)
        label = self._label((namespace, env), since)
        if label is None:
            raise not_found(namespace, env)
        masked = not caller.may(Action.READ_SECRETS, namespace, env)
        return Scope(label, masked)

    def document(self, scope: Scope, around: Callable[[], tuple[str, str]]) -> bytes:
        """Return the JSON object of the scope's values with what is ``around`` it; from memory where that can be."""
        return self._bodies.document(scope.label, not scope.masked, around)

    def key(self, caller: Caller, namespace: str, env: str, key: str) -> KeyState:
        """Return one key's active version.

        Raises:
            NotFound: the key is not declared, or has no value here; the message says which.
        """
        caller.require(Action.READ, namespace, env)
        row = store.active(self._database, namespace, env, key)
        if row is None:
            raise NotFound(f"there is no key {key} in {namespace}, no environment {env}, or you have no grant there")
        if row["value"] is None and row["value_id"] is None:
            raise NotFound(f"{namespace}/{key} has no value in {env}")
        secret = row["value_id"] is not None
        return KeyState(row, masked=secret and not caller.may(Action.READ_SECRETS, namespace, env))

    def value(self, namespace: str, env: str, key: str, state: KeyState) -> str:
        """Return the JSON text of a value that the caller may read. Don't keep it."""
        if not state.secret:
            return str(state.row["value"])
        return self._secrets.open([Place(namespace, env, key, state.row["value_id"])])[0]

    def reveal(self, caller: Caller, namespace: str, env: str, key: str, reason: str) -> tuple[Row, str]:
        """Return one secret's active version and the JSON text of its value, for people; it is recorded first.

        Raises:
            NotFound, Forbidden: it is not there, or the caller may not.
            Conflict: it is no secret.
        """
        caller.require(Action.REVEAL, namespace, env)
        state = self.key(caller, namespace, env, key)
        if not state.secret:
            raise Conflict(f"{namespace}/{key} is no secret in {env}: GET shows it")
        value = self.value(namespace, env, key, state)
        details = {"key": key, "version": state.row["version"], "reason": reason}
        with self._database.transaction() as connection:
            audit.record(
                connection, caller.origin, "secret.reveal", details, env=env, in_order=True, namespaces=[namespace]
            )
        return state.row, value


def _label(database: Database, namespace: str, env: str) -> Label | None:
    row = store.scope_label(database, namespace, env)
    if row is None:
        return None
    cursor = cursors.render(row["revision"], row["hash"])
    return Label(row["env_id"], row["namespace_id"], row["revision"], cursor, env, namespace)
