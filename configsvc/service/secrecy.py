"""Turning a setting into a secret, and back: a release in every environment where it has a value.

Versions of before stay what they were. A secret one is never uncovered; a plain one stays readable in history and in
backups, so a value that became a secret only now should be replaced.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit
from configsvc.errors import ReviewRequired
from configsvc.service.access import Caller
from configsvc.service.keys import lock, present_texts, require_sight
from configsvc.service.releases import Releases
from configsvc.service.secrets import Secrets
from configsvc.service.writes import Terms, Write
from configsvc.store import audit
from configsvc.store import catalog as store
from configsvc.store.database import Connection, Database, Row
from configsvc.store.drafts import drop_plain


@dataclass(frozen=True)
class Turned:
    """A key after it was turned, and the releases that this took: environment and revision."""

    key: Row
    releases: Sequence[tuple[str, int]]


class Secrecy:
    """Changes whether a key is secret."""

    def __init__(self, database: Database, secrets: Secrets, gate: Releases) -> None:
        self._database = database
        self._secrets = secrets
        self._gate = gate

    def turn(self, caller: Caller, namespace: str, name: str, secret: bool, break_glass: str | None) -> Turned:
        """Make a key secret, or plain.

        Raises:
            NotFound: the key is not there.
            Forbidden: the caller may not, in one of the environments; to make it plain takes a right of its own.
            ReviewRequired: it has a value in a protected environment, and the glass is whole.
            ValidationFailed: this service can't keep secrets.
        """
        caller.require(Action.DECLARE if secret else Action.UNCOVER, namespace, None)
        if secret:
            self._secrets.require_keys()
        note = f"{name} is {'a secret' if secret else 'no secret any more'}"
        with self._database.transaction() as connection:
            store.lock_environments(connection)  # first the environments, then the key, as commits lock them
            key = lock(connection, namespace, name)
            to_turn = [
                row for row in store.values_of_key(connection, key["id"]) if (row["value_id"] is not None) != secret
            ]
            self._authorise(caller, namespace, to_turn, secret, break_glass)
            row = store.set_secret(connection, key["id"], secret)
            if secret:
                drop_plain(connection, key["id"])
            texts = present_texts(self._secrets, namespace, name, to_turn)
            terms = Terms(note=note, break_glass=break_glass)
            releases = [
                (present["env"], self._release(connection, caller, present["env"], namespace, name, text, terms))
                for present, text in zip(to_turn, texts, strict=True)
            ]
            if releases or key["secret"] != secret:
                details = {"key": name, "secret": secret} | ({"break_glass": break_glass} if break_glass else {})
                audit.record(connection, caller.origin, "key.secret", details, namespaces=[namespace])
        return Turned(row, releases)

    def _authorise(
        self, caller: Caller, namespace: str, to_turn: Sequence[Row], secret: bool, break_glass: str | None
    ) -> None:
        require_sight(caller, namespace, to_turn)
        for row in to_turn:
            protected = bool(row["review_required"])
            if not secret:
                caller.require(Action.UNCOVER, namespace, row["env"], protected)
            caller.require(
                Action.BREAK_GLASS if protected and break_glass else Action.WRITE, namespace, row["env"], protected
            )
            if protected and not break_glass:
                raise ReviewRequired(
                    row["env"],
                    f"{row['env']} is protected, and this can't be proposed: say why it has to be in "
                    '"break_glass": {"reason"}, or unset the key there first',
                )

    def _release(
        self, connection: Connection, caller: Caller, env: str, namespace: str, name: str, text: str, terms: Terms
    ) -> int:
        write = Write(env, [Edit(namespace, name, json.loads(text))], "secret")
        answer = self._gate.written(connection, caller, write, terms).answer
        return int(str(answer["revision"]))
