"""AES-256-GCM and HMAC-SHA256 with keys that show themselves nowhere. All that is encrypted goes through here."""

import hashlib
import hmac
import os
from typing import Never

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
#: Random nonces of 96 bits: after 2**32 values under one key two are the same with a chance of 2**-33.
NONCE_BYTES = 12


class Broken(Exception):
    """The bytes were not encrypted so, under this key and with this additional data."""


class Key:
    """A 256-bit key. Neither ``repr`` nor ``pickle`` nor an error shows anything of it."""

    __slots__ = ("_aes", "_material")

    def __init__(self, material: bytes) -> None:
        """``material``: 32 secret bytes."""
        if len(material) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(material)}")
        self._material = material
        self._aes = AESGCM(material)

    @classmethod
    def generate(cls) -> "Key":
        """Make a new key from the operating system's randomness."""
        return cls(os.urandom(KEY_BYTES))

    def encrypt(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Return the ciphertext with its tag at the end. No two calls with one key may have the same nonce."""
        return self._aes.encrypt(_checked(nonce), plaintext, associated)

    def decrypt(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes:
        """Return what was encrypted.

        Raises:
            Broken: any bit of nonce, ciphertext, tag or associated data is another one, or the key is.
        """
        try:
            return self._aes.decrypt(_checked(nonce), ciphertext, associated)
        except (InvalidTag, ValueError):
            raise Broken from None

    def mac(self, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of a message."""
        return hmac.digest(self._material, message, hashlib.sha256)

    def expose(self) -> bytes:
        """Return the bytes themselves, for a provider to wrap."""
        return self._material

    def __repr__(self) -> str:
        return "Key(…)"

    def __reduce__(self) -> Never:
        raise TypeError("a key is never pickled")


def encode(*parts: str | bytes) -> bytes:
    """Return one byte string for a list of parts, another one for every other list."""
    texts = [part.encode() if isinstance(part, str) else part for part in parts]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def _checked(nonce: bytes) -> bytes:
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    return nonce
