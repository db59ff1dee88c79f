"""What a keeper of key-encryption keys (KEKs) has to do. ``tests/integration/crypto`` holds each one to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

#: Names what is wrapped: a wrapped key opens with the same names alone. They are no secrets, and may be logged there.
Context = Mapping[str, str]


@dataclass(frozen=True)
class Wrapped:
    """An encrypted key and the id of the KEK that it is under, such as ``local:9f3a5c0d1e2b4f60``."""

    kek_id: str
    blob: bytes = field(repr=False)


class KeyProvider(Protocol):
    """Wraps keys with a KEK that never leaves it. Safe to share between threads; every call ends within seconds.

    Every method raises:
        Unavailable: the provider does not answer, or can't now.
        CannotOpen: it answers that it will not: unknown KEK, wrong context, changed bytes, no right to.
    """

    def current_kek(self) -> str:
        """Return the id of the KEK that ``wrap`` takes now."""
        ...

    def wrap(self, material: bytes, context: Context) -> Wrapped:
        """Encrypt a key under the current KEK."""
        ...

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Return the key that was wrapped, under whichever KEK that is still there."""
        ...

    def rewrap(self, wrapped: Wrapped, context: Context) -> Wrapped:
        """Bring a wrapped key under the current KEK, inside the provider where it can do that."""
        ...
