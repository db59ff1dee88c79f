"""KEKs in AWS KMS. Needs the permissions kms:Encrypt, Decrypt, ReEncryptFrom, ReEncryptTo and DescribeKey on the key.

A KEK's id is the ARN of the KMS key. KMS's own yearly rotation happens below it, and nothing has to be rewrapped then.
Pointing the alias at another key is what makes a new KEK here.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from configsvc.crypto.providers.provider import Context, Wrapped
from configsvc.domain.key_sources import KmsKeys
from configsvc.errors import CannotOpen, SetupError, Unavailable

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    raise SetupError("CONFIGSVC_KEYS names aws-kms, which needs: pip install 'configsvc[aws-kms]'") from None

log = logging.getLogger(__name__)

_PREFIX = "aws-kms:"
_LIMITS = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})
#: KMS's final words. Anything else that it says may be otherwise next time.
_NO = {
    "AccessDeniedException",
    "DisabledException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidKeyUsageException",
    "KMSInvalidStateException",
    "NotFoundException",
}


class AwsKms:
    """Wraps with a key of KMS, and with the data key's names as encryption context, which CloudTrail shows."""

    def __init__(self, source: KmsKeys) -> None:
        """Call nobody yet: settings that aren't secret are served while KMS is down.

        Raises:
            SetupError: there is no region, or AWS's own settings are wrong.
        """
        # At debug level it writes whole requests and answers, with the keys in them.
        logging.getLogger("botocore").setLevel(logging.INFO)
        self._key = source.key
        try:
            self._client: Any = boto3.session.Session().client("kms", region_name=source.region, config=_LIMITS)
        except (BotoCoreError, ValueError) as error:
            raise SetupError(f"aws-kms can't be used: {error}") from error

    def current_kek(self) -> str:
        """Return the ARN of the key that the setting names now."""
        with _errors(self._key):
            return _PREFIX + str(self._client.describe_key(KeyId=self._key)["KeyMetadata"]["Arn"])

    def wrap(self, material: bytes, context: Context) -> Wrapped:
        """Encrypt under the key that the setting names now."""
        with _errors(self._key):
            answer = self._client.encrypt(KeyId=self._key, Plaintext=material, EncryptionContext=dict(context))
            return Wrapped(_PREFIX + answer["KeyId"], answer["CiphertextBlob"])

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Decrypt under the key that it is wrapped with, and no other."""
        with _errors(wrapped.kek_id):
            answer = self._client.decrypt(
                KeyId=_arn(wrapped), CiphertextBlob=wrapped.blob, EncryptionContext=dict(context)
            )
            return bytes(answer["Plaintext"])

    def rewrap(self, wrapped: Wrapped, context: Context) -> Wrapped:
        """Let KMS do it: the data key does not leave it."""
        with _errors(wrapped.kek_id):
            answer = self._client.re_encrypt(
                SourceKeyId=_arn(wrapped),
                CiphertextBlob=wrapped.blob,
                SourceEncryptionContext=dict(context),
                DestinationKeyId=self._key,
                DestinationEncryptionContext=dict(context),
            )
            return Wrapped(_PREFIX + answer["KeyId"], answer["CiphertextBlob"])

    def __repr__(self) -> str:
        return f"AwsKms({self._key!r})"


def _arn(wrapped: Wrapped) -> str:
    if not wrapped.kek_id.startswith(_PREFIX):
        raise CannotOpen(f"a data key is under {wrapped.kek_id}, and CONFIGSVC_KEYS names aws-kms")
    return wrapped.kek_id.removeprefix(_PREFIX)


@contextlib.contextmanager
def _errors(key: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        log.error("aws-kms: %s", error)  # says which permission is missing, which is not for callers
        if code in _NO:
            raise CannotOpen(f"aws-kms refuses the key {key}: {code}") from None
        raise Unavailable(f"aws-kms can't be used now: {code}") from None
    except BotoCoreError as error:
        log.error("aws-kms: %s", error)
        raise Unavailable(f"aws-kms does not answer: {type(error).__name__}") from None
