"""The key file: signs push messages, and gives other secrets of the service by derivation (docs/protocol.md).

The file holds one Ed25519 private key or several, as PEM. The first one signs and all are published, so that a key can
be replaced without a client noticing: add the new one at the end, restart; move it to the front, restart; remove the
old one.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from configsvc.crypto import private_file
from configsvc.errors import SetupError

#: What is signed begins so: a signature made for anything else never fits a push message.
_DOMAIN = b"configsvc/push/v1\n"
_DERIVED_BYTES = 32
_PEM = re.compile(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----", re.DOTALL)


def generate(path: Path) -> None:
    """Write a new private key to ``path``, readable by its owner alone.

    Raises:
        SetupError: the file is there already, or can't be written.
    """
    private_file.create(
        path, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


class Signer:
    """Signs push messages. Neither ``repr`` nor an error shows anything of a private key."""

    def __init__(self, keys: Mapping[str, Ed25519PrivateKey]) -> None:
        """``keys`` by key id; the first one signs."""
        self._keys = dict(keys)
        self._kid, self._key = next(iter(self._keys.items()))
        self._prefix = f"v1.{self._kid}.".encode()

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read the key file.

        Raises:
            SetupError: it is missing, others may use it, or it holds something else than Ed25519 private keys.
        """
        keys = [_private_key(pem, path) for pem in _PEM.findall(private_file.read(path))]
        if not keys:
            raise SetupError(f"{path} holds no private key: `configsvc keys new-signing-key FILE` makes one")
        return cls({_kid(key): key for key in keys})

    @property
    def public_keys(self) -> dict[str, str]:
        """Every key's id, and its 32 public bytes in base64url without padding."""
        return {kid: _base64url(key.public_key().public_bytes_raw()) for kid, key in self._keys.items()}

    def sign_frame(self, json_bytes: bytes) -> bytes:
        """Return the frame ``v1.<kid>.<signature>.<json>`` around one message's JSON."""
        signature = _base64url(self._key.sign(_DOMAIN + json_bytes))
        return b"%b%b.%b" % (self._prefix, signature.encode(), json_bytes)

    def derive(self, purpose: str) -> bytes:
        """Return 32 secret bytes for another use, the same in every process with this file; another use, other bytes.

        They come from the key that signs. So they change once when the key is replaced, for all instances with the
        restart that moves the new key to the front.
        """
        return self.derive_from_each(purpose)[0]

    def derive_from_each(self, purpose: str) -> list[bytes]:
        """Return what ``derive`` gives for each key, were it the first one, in the order of the file.

        For what has to be taken while keys are replaced: what was derived before the new key, and what will be after.
        """
        info = b"configsvc/derive/v1\n" + purpose.encode()
        # An HKDF object derives once.
        return [
            HKDF(SHA256(), _DERIVED_BYTES, salt=None, info=info).derive(key.private_bytes_raw())
            for key in self._keys.values()
        ]

    def __repr__(self) -> str:
        return f"Signer(kids={list(self._keys)})"


def _private_key(pem: bytes, path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        # What the library says of broken or encrypted keys is no help to the operator.
        raise SetupError(f"{path} holds a key that can't be read: it must be unencrypted PEM") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SetupError(f"{path} holds a key that is not Ed25519: `configsvc keys new-signing-key FILE` makes one")
    return key


def _kid(key: Ed25519PrivateKey) -> str:
    return hashlib.sha256(key.public_key().public_bytes_raw()).hexdigest()[:16]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
