"""Changing the keys of secrets while everything runs (DESIGN.md §9).

| what is new | what is done | what stays |
| --- | --- | --- |
| the key-encryption key | each data key is wrapped anew | data keys, values, fingerprints |
| the data key of a scope | each value under the old one is sealed anew, in batches | history, fingerprints |

| what happens | what follows |
| --- | --- |
| killed half-way | each batch is whole; the next run goes on with what is still under a retired key |
| two at once | each value is rewritten by the one who comes first; the other one's changes nothing |
| a write at the moment of the change | told by the commit to seal anew; nothing new ever comes under a retired key |
| a read | opens with the key that it found with the ciphertext: retired keys stay |
| a value that does not open | is named and left as it is; the rest goes on |
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from configsvc.crypto.datakeys import DataKey, DataKeys
from configsvc.crypto.envelope import Place, Sealed
from configsvc.errors import CannotOpen
from configsvc.store import audit
from configsvc.store import secrets as store
from configsvc.store.audit import Origin
from configsvc.store.database import Database, Row

#: Values of one statement: the locks that it takes are held for some milliseconds.
BATCH = 200
_BEFORE_ALL = UUID(int=0)


@dataclass
class Done:
    """What a run has done, and what it could not do, each in a line."""

    keys: int = 0
    values: int = 0
    #: Whether it found a rotation that somebody had begun, and has finished that.
    resumed: bool = False
    faults: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Under:
    """A data key, and how many values are under it."""

    key: DataKey
    retired: bool
    secrets: int
    current: bool


class Rotation:
    """Rotates keys. ``origin``: who does it, for the audit trail."""

    def __init__(self, database: Database, data_keys: DataKeys, origin: Origin) -> None:
        self._database = database
        self._data_keys = data_keys
        self._origin = origin

    def status(self) -> Sequence[Under]:
        """Return every data key that is in use; ``current``: the keeper's present KEK wraps it."""
        kek_id = self._data_keys.current_kek()
        rows = store.keys_in_use(self._database, None, None)
        return [Under(store.data_key(row), row["retired"], row["secrets"], row["kek_id"] == kek_id) for row in rows]

    def rewrap(self) -> Done:
        """Bring every data key under the present KEK, retired ones too: after it the older KEKs are needed no more."""
        done = Done()
        for key in store.keys_not_under(self._database, self._data_keys.current_kek()):
            try:
                rewrapped = self._data_keys.rewrap(key)
            except CannotOpen as error:
                done.faults.add(error.detail)
                continue
            with self._database.connection() as connection:
                done.keys += store.rewrap_key(connection, key.kek_id, rewrapped)
        self._record("keys.rewrap", done)
        return done

    def rotate(
        self, namespace: str | None = None, env: str | None = None, progress: Callable[[int], None] = lambda _: None
    ) -> Done:
        """Give scopes new data keys and bring all values under them; finish a rotation first that was interrupted.

        ``progress`` hears how many values have been rewritten so far.
        """
        done = Done()
        self._finish(namespace, env, done, progress)
        done.resumed = done.values > 0
        if not done.resumed:
            rows = store.keys_in_use(self._database, namespace, env)
            done.keys = self._replace([row for row in rows if row["purpose"] == "secret" and not row["retired"]])
            self._finish(namespace, env, done, progress)
        self._record("keys.rotate", done, namespace=namespace, env=env)
        return done

    def _finish(self, namespace: str | None, env: str | None, done: Done, progress: Callable[[int], None]) -> None:
        """Bring what is under retired keys under the present ones."""
        rows = [row for row in store.keys_in_use(self._database, namespace, env) if row["purpose"] == "secret"]
        present = {(row["namespace"], row["env"]): store.data_key(row) for row in rows if not row["retired"]}
        for row in rows:
            if row["retired"]:
                for rewritten in self._rewrite(store.data_key(row), present[row["namespace"], row["env"]], done):
                    done.values += rewritten
                    progress(done.values)

    def _replace(self, rows: Sequence[Row]) -> int:
        """Replace all at once: whoever is killed has begun with all of them, or with none."""
        made = [(row["id"], self._data_keys.make(row["namespace"], row["env"], "secret")) for row in rows]
        with self._database.transaction() as connection:
            return sum(store.replace_key(connection, old, new) for old, new in made)

    def _rewrite(self, old: DataKey, new: DataKey, done: Done) -> Iterator[int]:
        after = _BEFORE_ALL
        while rows := store.under_key(self._database, old.id, after, BATCH):
            after = rows[-1]["value_id"]
            sealed = []
            for row in rows:
                try:
                    sealed.append((row["value_id"], self._sealed_anew(old, new, row)))
                except CannotOpen as error:
                    done.faults.add(error.detail)
            yield store.rewrite(self._database, old.id, new.id, sealed)

    def _sealed_anew(self, old: DataKey, new: DataKey, row: Row) -> Sealed:
        place = Place(old.namespace, old.env, row["key"], row["value_id"])
        text = self._data_keys.open(old, place, Sealed(old.id, row["nonce"], row["ciphertext"]))
        return self._data_keys.seal(new, place, text)

    def _record(self, action: str, done: Done, **where: str | None) -> None:
        details = {"keys": done.keys, "values": done.values, "faults": len(done.faults), **where}
        with self._database.connection() as connection:
            audit.record(connection, self._origin, action, details)
