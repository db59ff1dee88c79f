"""Secret values of settings: sealed before they are stored, opened for those who may read them, kept nowhere.

| | |
| --- | --- |
| in memory | ciphertexts by value id, and unwrapped data keys (``crypto.datakeys``); never a value |
| a value id | names one value for ever. A new data key changes its ciphertext, and the old pair still opens |
| an old pair that does not open | its key may have been replaced, and the one around it taken away: read anew, once |
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from cachetools import LRUCache

from configsvc.crypto.datakeys import DataKey, DataKeys
from configsvc.crypto.envelope import Place, Sealed
from configsvc.errors import CannotOpen, ValidationFailed
from configsvc.store import secrets as store
from configsvc.store.database import Connection, Database
from configsvc.store.secrets import Kept

#: Memory of one worker for ciphertexts: some hundred thousand passwords.
CACHE_BYTES_MAX = 16 * 1024 * 1024
#: What one costs beyond its ciphertext.
_OVERHEAD_BYTES = 400

_HOW = "set CONFIGSVC_KEYS, for instance to file:/etc/configsvc/keys.json after `configsvc keys init` (docs/secrets.md)"

_Pair = tuple[DataKey, Sealed]


@dataclass(frozen=True)
class Plain:
    """A value to be sealed, of one key in one environment; ``text`` is its canonical JSON."""

    namespace: str
    namespace_id: int
    key: str
    type: str
    text: str = field(repr=False)


class Secrets:
    """Seals and opens. Safe to share between threads."""

    def __init__(self, database: Database, data_keys: DataKeys | None) -> None:
        """``data_keys`` None: no keeper of keys is configured; secrets then can't be written or read."""
        self._database = database
        self._data_keys = data_keys
        self._lock = threading.Lock()
        self._pairs: LRUCache[UUID, _Pair] = LRUCache(CACHE_BYTES_MAX, getsizeof=_size)

    def require_keys(self, field: str = "secret") -> DataKeys:
        """Return what seals; ValidationFailed says how to get there where there is nothing."""
        if self._data_keys is None:
            raise ValidationFailed([(field, f"this service has no keys to encrypt secrets with: {_HOW}")])
        return self._data_keys

    def seal(self, connection: Connection, env_id: int, env: str, values: Sequence[Plain]) -> list[Kept]:
        """Encrypt values for their places, under their scopes' present data keys, which are made where there are none.

        Raises:
            ValidationFailed: no keeper of keys is configured.
            Unavailable, CannotOpen: the keeper does not answer, or refuses.
        """
        if not values:
            return []
        data_keys = self.require_keys("value")
        keys = self._present_keys(connection, data_keys, env_id, env, values)
        return [
            _sealed(data_keys, keys[value.namespace_id, "secret"], keys[value.namespace_id, "fingerprint"], env, value)
            for value in values
        ]

    def open(self, places: Sequence[Place]) -> list[str]:
        """Return the canonical JSON texts of secret values, in order; one look-up for all that are not in memory.

        Raises:
            Unavailable: the keeper of keys is needed and does not answer.
            CannotOpen: a value or a key was moved, damaged or lost; the message names it.
        """
        if not places:
            return []
        if self._data_keys is None:
            raise CannotOpen(f"this service has no keys to read secrets with: {_HOW}")
        remembered = self._remembered(places)
        pairs: Mapping[UUID, _Pair] = {
            **remembered,
            **self._read([place for place in places if place.value_id not in remembered]),
        }
        try:
            return self._data_keys.open_all([_wanted(place, pairs) for place in places])
        except CannotOpen:
            if not remembered:
                raise
        pairs = self._read(places)
        return self._data_keys.open_all([_wanted(place, pairs) for place in places])

    def _remembered(self, places: Sequence[Place]) -> Mapping[UUID, _Pair]:
        with self._lock:
            return {place.value_id: pair for place in places if (pair := self._pairs.get(place.value_id)) is not None}

    def _read(self, places: Sequence[Place]) -> Mapping[UUID, _Pair]:
        if not places:
            return {}
        pairs = store.sealed(self._database, [place.value_id for place in places])
        with self._lock:
            self._pairs.update(pairs)
        return pairs

    def _present_keys(
        self, connection: Connection, data_keys: DataKeys, env_id: int, env: str, values: Sequence[Plain]
    ) -> Mapping[tuple[int, str], DataKey]:
        namespaces = {value.namespace_id: value.namespace for value in values}
        present = store.present_keys(connection, env_id, list(namespaces))
        missing = False
        for namespace_id, namespace in namespaces.items():
            for purpose in ("secret", "fingerprint"):
                if (namespace_id, purpose) not in present:
                    missing = True
                    store.add_key(connection, env_id, namespace_id, data_keys.make(namespace, env, purpose))
        # Somebody may have been quicker.
        return store.present_keys(connection, env_id, list(namespaces)) if missing else present


def _sealed(data_keys: DataKeys, key: DataKey, fingerprint_key: DataKey, env: str, value: Plain) -> Kept:
    place = Place(value.namespace, env, value.key, uuid4())
    fingerprint = data_keys.fingerprint(fingerprint_key, place, value.type, value.text)
    return Kept(place.value_id, fingerprint, data_keys.seal(key, place, value.text))


def _wanted(place: Place, pairs: Mapping[UUID, _Pair]) -> tuple[DataKey, Place, Sealed]:
    pair = pairs.get(place.value_id)
    if pair is None:
        raise CannotOpen(f"the secret {place.namespace}/{place.key} in {place.env} has lost its value {place.value_id}")
    return pair[0], place, pair[1]


def _size(pair: _Pair) -> int:
    return _OVERHEAD_BYTES + len(pair[1].ciphertext)
