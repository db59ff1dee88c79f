"""KEKs in Vault's transit engine. Needs update on MOUNT/encrypt, decrypt and rewrap/NAME, and read on MOUNT/keys/NAME.

The transit key has to be a derived one: then Vault makes a key of its own for each context, and a wrapped key opens
with its own context alone. With another kind Vault ignores the context, so such a key is refused. Vault's associated
data would bind the context, too, but its `rewrap` does not take them.
"""

import base64
import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configsvc.crypto.aead import encode
from configsvc.crypto.providers.provider import Context, Wrapped
from configsvc.domain.key_sources import TransitKeys
from configsvc.errors import CannotOpen, SetupError, Unavailable

try:
    import hvac
    from hvac.exceptions import Forbidden, InternalServerError, InvalidPath, InvalidRequest, VaultError
    from requests.exceptions import RequestException
except ImportError:
    raise SetupError("CONFIGSVC_KEYS names vault-transit, which needs: pip install 'configsvc[vault]'") from None

log = logging.getLogger(__name__)

_CONTEXT = "configsvc/transit/v1"
#: Connecting, and each wait for bytes.
_TIMEOUTS_S = (1, 2)
#: Vault answers 500 where a context or a byte is another one.
_NOT_SO_ENCRYPTED = "message authentication failed"


class VaultTransit:
    """Wraps with a derived key of a transit engine. A KEK is one version of that key."""

    def __init__(self, source: TransitKeys) -> None:
        """Call nobody yet: settings that aren't secret are served while Vault is down.

        Raises:
            SetupError: there is no token.
        """
        self._key = {"name": source.name, "mount_point": source.mount}
        self._prefix = f"vault-transit:{source.mount}/{source.name}:"
        self._token_file = Path(source.token_file) if source.token_file is not None else None
        token = os.environ.get("VAULT_TOKEN", "")
        if not token and self._token_file is None:
            raise SetupError("vault-transit has no token: add ?token_file=FILE to CONFIGSVC_KEYS, or set VAULT_TOKEN")
        # A redirect would take the token to wherever it points.
        self._client: Any = hvac.Client(
            source.url, token=token, timeout=_TIMEOUTS_S, allow_redirects=False, namespace=source.namespace
        )
        self._is_derived = False

    def current_kek(self) -> str:
        """Return the newest version of the transit key."""
        return f"{self._prefix}v{self._read_key()['latest_version']}"

    def wrap(self, material: bytes, context: Context) -> Wrapped:
        """Encrypt under the newest version; the first time, ask what kind of key it is."""
        if not self._is_derived:
            self._read_key()
        with self._transit(self._prefix) as transit:
            text = base64.b64encode(material).decode()
            return self._wrapped(transit.encrypt_data(plaintext=text, context=_base64(context), **self._key))

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Decrypt under the version that it is wrapped with."""
        with self._transit(wrapped.kek_id) as transit:
            answer = transit.decrypt_data(ciphertext=self._ours(wrapped), context=_base64(context), **self._key)
            return base64.b64decode(answer["data"]["plaintext"], validate=True)

    def rewrap(self, wrapped: Wrapped, context: Context) -> Wrapped:
        """Let Vault do it: the data key does not leave it."""
        with self._transit(wrapped.kek_id) as transit:
            return self._wrapped(
                transit.rewrap_data(ciphertext=self._ours(wrapped), context=_base64(context), **self._key)
            )

    def __repr__(self) -> str:
        return f"VaultTransit({self._prefix.removesuffix(':')!r})"

    def _read_key(self) -> Any:
        with self._transit(self._prefix) as transit:
            key = transit.read_key(**self._key)["data"]
            self._is_derived = key["derived"] is True
            if not self._is_derived:
                name = f"{self._key['mount_point']}/keys/{self._key['name']}"
                raise CannotOpen(f"the transit key is not derived: make one with `vault write -f {name} derived=true`")
            return key

    def _wrapped(self, answer: Any) -> Wrapped:
        ciphertext = answer["data"]["ciphertext"]
        version = ciphertext.split(":")[1]  # vault:v3:…
        return Wrapped(self._prefix + version, ciphertext.encode())

    def _ours(self, wrapped: Wrapped) -> str:
        if not wrapped.kek_id.startswith(self._prefix):
            raise CannotOpen(f"a data key is under {wrapped.kek_id}, and CONFIGSVC_KEYS names {self._prefix}…")
        return wrapped.blob.decode(errors="replace")

    @contextlib.contextmanager
    def _transit(self, key: str) -> Iterator[Any]:
        """The engine, with the token of now; what it says becomes an error of ours."""
        try:
            if self._token_file is not None:
                self._client.token = self._token_file.read_text(encoding="utf-8").strip()
            yield self._client.secrets.transit
        except OSError as error:
            if not isinstance(error, RequestException):
                raise Unavailable(f"vault-transit has no token: {self._token_file}: {error.strerror}") from None
            log.error("vault-transit: %s", error)
            raise Unavailable(f"vault-transit does not answer: {type(error).__name__}") from None
        except VaultError as error:
            log.error("vault-transit: %s", error)
            if _is_final(error):
                raise CannotOpen(f"vault-transit refuses the key {key}: {type(error).__name__}") from None
            raise Unavailable(f"vault-transit can't be used now: {type(error).__name__}") from None
        except (AttributeError, LookupError, TypeError, ValueError):
            # Not shown: whatever answered there, it may have answered with a key.
            raise Unavailable("vault-transit answers something else than Vault does") from None


def _is_final(error: Any) -> bool:
    if isinstance(error, InternalServerError):
        return _NOT_SO_ENCRYPTED in str(error)
    return isinstance(error, Forbidden | InvalidPath | InvalidRequest)


def _base64(context: Context) -> str:
    return base64.b64encode(encode(_CONTEXT, *(part for item in sorted(context.items()) for part in item))).decode()
