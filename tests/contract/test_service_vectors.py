"""The service replays the vectors that every client of the protocol can be checked with: it sends these very bytes."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from configsvc.crypto.signing import Signer
from configsvc.domain import messages, strict_json

FRAMES = json.loads((Path(__file__).parent / "frames.json").read_text("utf-8"))
#: Good for a reader, but not what the service writes: other clients have to cope with a later or another sender.
NOT_OURS = ("unknown fields are ignored", "the signature covers the bytes as sent, spaces and line feeds included")


def _named(vectors: list[Any]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    """Signs with the vectors' key, read from a key file."""
    secret = base64.urlsafe_b64decode(FRAMES["signing_key"] + "=")
    path = tmp_path / "signing.key"
    path.touch(0o600)
    key = Ed25519PrivateKey.from_private_bytes(secret)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Signer.load(path)


def test_the_key_is_published_as_in_the_vectors(signer: Signer) -> None:
    """The key's id and public text are those that clients are given."""
    assert signer.public_keys == FRAMES["keys"]


@pytest.mark.parametrize("vector", _named(FRAMES["good"]))
def test_signing_gives_the_frame(signer: Signer, vector: Any) -> None:
    """Signing a vector's JSON gives its frame to the byte."""
    assert signer.sign_frame(vector["json"].encode()) == vector["frame"].encode()


@pytest.mark.parametrize("vector", _named([v for v in FRAMES["good"] if v["name"] not in NOT_OURS]))
def test_rendering_gives_the_json(vector: Any) -> None:
    """From the same data the service makes a vector's JSON to the byte, for the same channel."""
    content = strict_json.loads(vector["json"].encode())
    assert isinstance(content, dict)
    rendered, channel = _header(**content) if "beat" in content else _part(**content)
    assert rendered == vector["json"].encode()
    assert channel == vector["channel"]


def _header(env: str, **fields: Any) -> tuple[bytes, str]:
    return messages.header(env, **fields), messages.header_channel(env)


def _part(env: str, namespace: str, revision: int, cursor: str, changes: list[Any] | None) -> tuple[bytes, str]:
    entries = None if changes is None else [_entry(change) for change in changes]
    return messages.part(env, namespace, revision, cursor, entries), messages.part_channel(namespace, env)


def _entry(change: dict[str, Any]) -> str:
    key, version = change["key"], change["version"]
    if change.get("secret"):
        return messages.secret_change_entry(key, change["type"], version)
    if change.get("deleted"):
        return messages.change_entry(key, "", version, None)
    return messages.change_entry(key, change["type"], version, strict_json.dumps(change["value"]))
