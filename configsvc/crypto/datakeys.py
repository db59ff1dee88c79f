"""Data keys: made per scope, wrapped by a provider, kept unwrapped for a while, used to seal and open.

Only data keys are kept, never a value. A key is kept under its whole row, so a row that changed is unwrapped anew.

| the provider | a key that is kept | one that is not |
| --- | --- | --- |
| answers | unwrapped anew every ``FRESH_S``, so that losing the right to shows by then | one call for all who ask |
| is down | goes on for up to ``KEPT_S``; one asker in ``RETRY_S`` tries again, the others don't wait | Unavailable |
| refuses | is forgotten, and CannotOpen | CannotOpen |
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal
from uuid import UUID, uuid4

from cachetools import TTLCache

from configsvc.crypto import envelope
from configsvc.crypto.aead import Broken, Key
from configsvc.crypto.envelope import Place, Sealed
from configsvc.crypto.providers.provider import KeyProvider, Wrapped
from configsvc.errors import CannotOpen, Unavailable
from configsvc.together import Together

log = logging.getLogger(__name__)

FRESH_S = 300.0
KEPT_S = 4 * 3600.0
RETRY_S = 10.0
#: Two a scope; the least recently used give way.
KEPT_MAX = 10_000


@dataclass(frozen=True)
class DataKey:
    """A data key as it is stored: wrapped. It is for one scope, and for secrets or for their fingerprints."""

    id: UUID
    namespace: str
    env: str
    purpose: Literal["secret", "fingerprint"]
    kek_id: str
    wrapped: bytes = field(repr=False)


class _Held:
    """An unwrapped key, and from when on it has to be asked for again."""

    __slots__ = ("key", "renew_at")

    def __init__(self, key: Key, renew_at: float) -> None:
        self.key = key
        self.renew_at = renew_at


class DataKeys:
    """Seals, opens and compares secret values with data keys. Safe to share between threads; one for a process.

    Every method raises:
        Unavailable: the provider is needed and does not answer.
        CannotOpen: it refuses, or something was moved or damaged.
    """

    def __init__(self, provider: KeyProvider, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds."""
        self._provider = provider
        self._clock = clock
        self._held: TTLCache[DataKey, _Held] = TTLCache(KEPT_MAX, KEPT_S, timer=clock)
        self._lock = threading.Lock()
        self._unwrap_once = Together[DataKey, Key](self._find)

    def make(self, namespace: str, env: str, purpose: Literal["secret", "fingerprint"]) -> DataKey:
        """Return a new data key under the current KEK, to be stored."""
        row = DataKey(uuid4(), namespace, env, purpose, "", b"")
        wrapped = self._provider.wrap(Key.generate().expose(), _context(row))
        return replace(row, kek_id=wrapped.kek_id, wrapped=wrapped.blob)

    def current_kek(self) -> str:
        """Return the id of the KEK that new data keys are under."""
        return self._provider.current_kek()

    def rewrap(self, row: DataKey) -> DataKey:
        """Return the same data key under the current KEK; what it encrypted stays as it is."""
        wrapped = self._provider.rewrap(Wrapped(row.kek_id, row.wrapped), _context(row))
        return replace(row, kek_id=wrapped.kek_id, wrapped=wrapped.blob)

    def seal(self, row: DataKey, place: Place, text: str) -> Sealed:
        """Encrypt a value's canonical JSON text for its place."""
        return envelope.seal(self._key(row, "secret", place.namespace, place.env), row.id, place, text)

    def open(self, row: DataKey, place: Place, sealed: Sealed) -> str:
        """Return a value's canonical JSON text. Don't keep it."""
        return self.open_all([(row, place, sealed)])[0]

    def open_all(self, wanted: Sequence[tuple[DataKey, Place, Sealed]]) -> list[str]:
        """Return many values' texts; a data key is looked for once for all in a row that are of one scope under it."""
        texts: list[str] = []
        key: Key | None = None
        scope: tuple[DataKey, str, str] | None = None
        for row, place, sealed in wanted:
            if key is None or scope is None or row is not scope[0] or (place.namespace, place.env) != scope[1:]:
                key = self._key(row, "secret", place.namespace, place.env)
                scope = (row, place.namespace, place.env)
            try:
                texts.append(envelope.unseal(key, place, sealed))
            except Broken:
                raise CannotOpen(
                    f"the secret {place.namespace}/{place.key} in {place.env} does not open with the data key "
                    f"{row.id} (under {row.kek_id}): it was moved or damaged, or is under {sealed.data_key_id}"
                ) from None
        return texts

    def fingerprint(self, row: DataKey, place: Place, type_: str, text: str) -> str:
        """Return what a value would show as, in that place's scope, to those who may not read it.

        ``place.value_id`` is not in it.
        """
        key = self._key(row, "fingerprint", place.namespace, place.env)
        return envelope.fingerprint(key, place.key, type_, text)

    def __repr__(self) -> str:
        return f"DataKeys({self._provider!r})"

    def _key(self, row: DataKey, purpose: str, namespace: str, env: str) -> Key:
        if (row.purpose, row.namespace, row.env) != (purpose, namespace, env):
            raise CannotOpen(
                f"the data key {row.id} is a {row.purpose} key of {row.namespace} in {row.env}, "
                f"not a {purpose} key of {namespace} in {env}"
            )
        now = self._clock()
        with self._lock:
            held = self._held.get(row)
            if held is not None and now < held.renew_at:
                return held.key
            if held is not None:
                held.renew_at = now + RETRY_S  # whoever comes meanwhile goes on with this one
        return self._unwrap_once(row) if held is None else self._renew(row, held)

    def _find(self, row: DataKey) -> Key:
        """For all who found nothing: the first one's look-up is also the answer for those who came while it ran."""
        with self._lock:
            held = self._held.get(row)
        return self._unwrap(row) if held is None else held.key

    def _renew(self, row: DataKey, held: _Held) -> Key:
        try:
            return self._unwrap(row)
        except CannotOpen:
            with self._lock:
                self._held.pop(row, None)
            raise
        except Unavailable as error:
            log.warning("data key %s goes on unwrapped: %s", row.id, error)
            return held.key

    def _unwrap(self, row: DataKey) -> Key:
        try:
            key = Key(self._provider.unwrap(Wrapped(row.kek_id, row.wrapped), _context(row)))
        except ValueError:
            raise CannotOpen(f"what {row.kek_id} unwraps of the data key {row.id} is no key") from None
        with self._lock:
            self._held[row] = _Held(key, self._clock() + FRESH_S)
        return key


def _context(row: DataKey) -> dict[str, str]:
    return {"namespace": row.namespace, "env": row.env, "data_key": str(row.id), "purpose": row.purpose}
