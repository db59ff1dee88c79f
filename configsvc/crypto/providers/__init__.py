"""Where key-encryption keys are kept: a key file, AWS KMS or Vault's transit engine."""

from configsvc.crypto.providers.moving import Moving
from configsvc.crypto.providers.provider import KeyProvider
from configsvc.domain import key_sources
from configsvc.domain.key_sources import FileKeys, KmsKeys, TransitKeys


def open_provider(address: str, other: str | None = None) -> KeyProvider:
    """Return the provider that CONFIGSVC_KEYS names. A remote one is first asked when a key is needed.

    ``other``: what CONFIGSVC_OTHER_KEYS names; read with, where the first one has no key.

    Raises:
        SetupError: the key file can't be used, a package is missing, or the provider lacks something to begin with.
    """
    if other is not None:
        return Moving(open_provider(address), open_provider(other))
    match key_sources.parse(address):
        case FileKeys() as source:
            from configsvc.crypto.providers.local import LocalKeys

            return LocalKeys(source.path)
        case KmsKeys() as source:
            from configsvc.crypto.providers.aws_kms import AwsKms

            return AwsKms(source)
        case TransitKeys() as source:
            from configsvc.crypto.providers.vault_transit import VaultTransit

            return VaultTransit(source)
