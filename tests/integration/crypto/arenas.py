"""One arena for each provider: a real or doubled keeper of keys that can be rotated, lost, shut and frozen."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import pytest

from configsvc.crypto.providers import local, open_provider
from configsvc.crypto.providers.provider import KeyProvider, Wrapped
from tests.integration.crypto.front import Front
from tests.integration.crypto.transit import Transit

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",  # else it is asked for on the network
}


class Arena(Protocol):
    """What the conformance suite needs. ``name`` is what errors have to say, ``address`` names it in settings."""

    name: str
    address: str
    provider: KeyProvider

    def rotate(self) -> None:
        """Make a new KEK the current one; older ones stay."""
        ...

    def unknown(self, wrapped: Wrapped) -> Wrapped:
        """The same, as if wrapped under a KEK that is not there."""
        ...

    def shut(self) -> None:
        """Nobody answers."""
        ...

    def freeze(self) -> None:
        """Somebody listens and never answers."""
        ...


class LocalArena:
    """A key file."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "keys.json"
        local.create(self._path)
        self.address = f"file:{self._path}"
        self.provider = open_provider(self.address)

    def rotate(self) -> None:
        """Add a generation."""
        local.add_generation(self._path)

    def unknown(self, wrapped: Wrapped) -> Wrapped:
        """Of another file."""
        return replace(wrapped, kek_id="local:0123456789abcdef")

    def shut(self) -> None:
        """The file is gone."""
        self._path.unlink()

    def freeze(self) -> None:
        """A pipe: who opens it to read waits for a writer."""
        self._path.unlink()
        os.mkfifo(self._path, 0o600)


class MovingArena(LocalArena):
    """A key file that takes over from another one."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        local.create(folder / "other.json")
        self.provider = open_provider(self.address, f"file:{folder}/other.json")


class _Fronted:
    def __init__(self, front: Front) -> None:
        self._front = front

    def shut(self) -> None:
        """Connections are closed at the first byte."""
        self._front.state = "shut"

    def freeze(self) -> None:
        """Requests go in and nothing comes out."""
        self._front.state = "frozen"


class KmsArena(_Fronted):
    """A key of moto's KMS under an alias."""

    name = "aws-kms"

    def __init__(self, front: Front, client: Any, alias: str) -> None:
        super().__init__(front)
        self._client = client
        self._alias = alias
        client.create_alias(AliasName=alias, TargetKeyId=client.create_key()["KeyMetadata"]["KeyId"])
        self.address = f"aws-kms:{alias}?region=eu-central-1"
        self.provider = open_provider(self.address)

    def rotate(self) -> None:
        """Point the alias at a new key."""
        self._client.update_alias(AliasName=self._alias, TargetKeyId=self._client.create_key()["KeyMetadata"]["KeyId"])

    def unknown(self, wrapped: Wrapped) -> Wrapped:
        """An ARN that nobody has; KMS writes it into what it encrypts, too."""
        arn, _, name = wrapped.kek_id.rpartition("/")
        nobody = "00000000-0000-4000-8000-000000000000"
        assert name.encode() in wrapped.blob
        return Wrapped(f"{arn}/{nobody}", wrapped.blob.replace(name.encode(), nobody.encode()))


class TransitArena(_Fronted):
    """The double of a transit engine."""

    name = "vault-transit"

    def __init__(self, front: Front, transit: Transit, token_file: Path) -> None:
        super().__init__(front)
        self.transit = transit
        self.token_file = token_file
        token_file.write_text(transit.token + "\n")
        self.address = f"vault-transit:{front.url}/transit/configsvc?token_file={token_file}"
        self.provider = open_provider(self.address)

    def rotate(self) -> None:
        """Add a version."""
        self.transit.versions.append(os.urandom(32))

    def unknown(self, wrapped: Wrapped) -> Wrapped:
        """A version that is not there."""
        prefix = wrapped.kek_id.rpartition(":")[0]
        text = wrapped.blob.rpartition(b":")[2]
        return Wrapped(f"{prefix}:v99", b"vault:v99:" + text)


@contextmanager
def transit_arena(folder: Path) -> Iterator[TransitArena]:
    """A transit engine of its own."""
    with Transit() as transit, Front("127.0.0.1", transit.port) as front:
        yield TransitArena(front, transit, folder / "token")


@contextmanager
def kms_arena(client: Any, monkeypatch: pytest.MonkeyPatch, alias: str) -> Iterator[KmsArena]:
    """A key of its own in the server of ``client``."""
    url = urlsplit(client.meta.endpoint_url)
    with Front(str(url.hostname), int(url.port or 0)) as front:
        for name, value in {**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL_KMS": front.url}.items():
            monkeypatch.setenv(name, value)
        yield KmsArena(front, client, alias)
