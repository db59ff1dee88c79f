"""The key file and the frames that it signs."""

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from configsvc.crypto.signing import Signer, generate
from configsvc.errors import SetupError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A key file with one new key."""
    path = tmp_path / "signing.key"
    generate(path)
    return path


def verify(frame: bytes, public_keys: dict[str, str]) -> bytes:
    """Read a frame the way docs/protocol.md tells other clients to, and return its JSON."""
    version, kid, signature, json_bytes = frame.split(b".", 3)
    assert version == b"v1"
    assert len(signature) == 86
    public = base64.urlsafe_b64decode(public_keys[kid.decode()] + "=")
    assert hashlib.sha256(public).hexdigest()[:16] == kid.decode()
    key = Ed25519PublicKey.from_public_bytes(public)
    key.verify(base64.urlsafe_b64decode(signature + b"=="), b"configsvc/push/v1\n" + json_bytes)
    return json_bytes


def pem(key: object, encryption: object = None) -> bytes:
    """A private key as the text that a key file holds."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())  # type: ignore[attr-defined,no-any-return]


def test_a_new_key_is_private_and_signs(path: Path) -> None:
    """A generated file is its owner's alone, and its frames verify with the published key."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signer = Signer.load(path)
    assert verify(signer.sign_frame(b'{"a.b":"\xc3\xa9"}'), signer.public_keys) == b'{"a.b":"\xc3\xa9"}'


def test_a_changed_frame_does_not_verify(path: Path) -> None:
    """One changed byte of the JSON breaks the signature."""
    signer = Signer.load(path)
    with pytest.raises(InvalidSignature):
        verify(signer.sign_frame(b'{"a":1}').replace(b"1}", b"2}"), signer.public_keys)


def test_a_key_is_never_overwritten(path: Path) -> None:
    """Generating over a file is refused, and the key stays."""
    before = path.read_bytes()
    with pytest.raises(SetupError, match="never overwritten"):
        generate(path)
    assert path.read_bytes() == before


def test_a_key_in_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    """Where nothing can be written, the message names the file and the reason."""
    with pytest.raises(SetupError, match=r"signing.key can't be written: No such file or directory$"):
        generate(tmp_path / "missing" / "signing.key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o777])
def test_a_file_open_to_others_is_refused(path: Path, mode: int) -> None:
    """A key that others may read or write is refused, with the command that mends it."""
    path.chmod(mode)
    with pytest.raises(SetupError, match=f"mode {mode:04o}.*chmod 600 ") as caught:
        Signer.load(path)
    assert "\n" not in str(caught.value)


def test_a_key_is_replaced_in_steps(path: Path, tmp_path: Path) -> None:
    """The first key of the file signs, and all are published."""
    old = path.read_bytes()
    generate(tmp_path / "new.key")
    new = (tmp_path / "new.key").read_bytes()
    path.write_bytes(old + b"\n" + new)
    added = Signer.load(path)
    assert len(added.public_keys) == 2
    path.write_bytes(new + old)
    moved = Signer.load(path)
    assert moved.public_keys == added.public_keys
    first_kid, second_kid = added.public_keys
    assert added.sign_frame(b"{}").startswith(f"v1.{first_kid}.".encode())
    assert moved.sign_frame(b"{}").startswith(f"v1.{second_kid}.".encode())
    assert verify(moved.sign_frame(b"{}"), added.public_keys) == b"{}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no private key"),
        (b"hello", "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can't be read"),
        (pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")), "unencrypted"),
        (pem(generate_ec_key(SECP256R1())), "not Ed25519"),
    ],
    ids=["empty", "text", "broken", "encrypted", "of-another-kind"],  # of random keys, each process would make its own
)
def test_what_is_no_key_is_refused(path: Path, content: bytes, reason: str) -> None:
    """A file with anything else than unencrypted Ed25519 keys is named in one line."""
    path.write_bytes(content)
    with pytest.raises(SetupError, match=reason) as caught:
        Signer.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message names the file that is not there."""
    with pytest.raises(SetupError, match=r"missing\.key can't be read: No such file"):
        Signer.load(tmp_path / "missing.key")


def test_derived_secrets(path: Path, tmp_path: Path) -> None:
    """Every process with the file derives the same 32 bytes, others for another purpose or another key."""
    derived = Signer.load(path).derive("idempotency")
    assert len(derived) == 32
    assert Signer.load(path).derive("idempotency") == derived
    assert Signer.load(path).derive("sessions") != derived
    generate(tmp_path / "other.key")
    assert Signer.load(tmp_path / "other.key").derive("idempotency") != derived


def test_what_derives_from_each_key(path: Path, tmp_path: Path) -> None:
    """It is what each key alone would give, in the order of the file."""
    generate(tmp_path / "other.key")
    alone = [Signer.load(file).derive("accounts") for file in (path, tmp_path / "other.key")]
    path.write_bytes(path.read_bytes() + (tmp_path / "other.key").read_bytes())
    assert Signer.load(path).derive_from_each("accounts") == alone
    assert Signer.load(path).derive("accounts") == alone[0]


def test_nothing_secret_is_shown(path: Path) -> None:
    """The text of a signer shows key ids only."""
    signer = Signer.load(path)
    assert repr(signer) == str(signer) == f"Signer(kids={list(signer.public_keys)})"
