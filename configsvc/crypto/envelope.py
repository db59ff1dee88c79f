"""Secret values, sealed for one place, and their fingerprints (DESIGN.md §9).

A sealed value opens with its data key and in its place alone. A row that was moved to another key, environment or value
id, and one of which a bit was changed, does not open.
"""

import os
from dataclasses import dataclass, field
from uuid import UUID

from configsvc.crypto.aead import NONCE_BYTES, Key, encode

#: What is authenticated with a value begins so: no other use of a key ever fits.
_SECRET = "configsvc/secret/v1"  # noqa: S105
_FINGERPRINT = "configsvc/fingerprint/v1"
#: Lengths are rounded up to this: those of `true` and `false`, or of two passwords, would tell which one it is.
PADDED_BYTES = 64
_FINGERPRINT_DIGITS = 16


@dataclass(frozen=True)
class Place:
    """Where a secret value belongs. The service makes a new ``value_id`` for each value that it seals."""

    namespace: str
    env: str
    key: str
    value_id: UUID


@dataclass(frozen=True)
class Sealed:
    """What is stored of a secret value: which data key it is under, its nonce, and the ciphertext with its tag."""

    data_key_id: UUID
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)


def seal(key: Key, data_key_id: UUID, place: Place, text: str) -> Sealed:
    """Encrypt a value's canonical JSON text, under a fresh nonce."""
    plaintext = text.encode()
    # JSON text holds no NUL, so the padding comes off again without a length to keep.
    padded = plaintext.ljust(-(-len(plaintext) // PADDED_BYTES) * PADDED_BYTES, b"\0")
    nonce = os.urandom(NONCE_BYTES)
    return Sealed(data_key_id, nonce, key.encrypt(nonce, padded, _associated(place)))


def unseal(key: Key, place: Place, sealed: Sealed) -> str:
    """Return the value's canonical JSON text.

    Raises:
        Broken: it was not sealed so, with this key for this place.
    """
    return key.decrypt(sealed.nonce, sealed.ciphertext, _associated(place)).rstrip(b"\0").decode()


def fingerprint(key: Key, config_key: str, type_: str, text: str) -> str:
    """Return 16 hex digits that say whether two values of one key in one scope are the same, and nothing else.

    Who has the database can't try values out: ``key`` is random, and in the database only wrapped. The key's name is
    part of it, so that two keys with the same password don't show that.
    """
    return key.mac(encode(_FINGERPRINT, config_key, type_, text)).hex()[:_FINGERPRINT_DIGITS]


def _associated(place: Place) -> bytes:
    return encode(_SECRET, place.namespace, place.key, place.env, place.value_id.bytes)
