"""AES-256-GCM as project Wycheproof wants it, and keys that show nothing."""

import base64
import copy
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.crypto.aead import KEY_BYTES, NONCE_BYTES, Broken, Key, encode

CASES = json.loads((Path(__file__).parents[2] / "contract" / "aes_gcm.json").read_text("utf-8"))["cases"]
WITH_OUR_NONCE = [case for case in CASES if case["expected"] != "refuses the nonce"]

NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)


def figures(case: dict[str, Any]) -> tuple[Key, bytes, bytes, bytes, bytes]:
    """Key, nonce, associated data, plaintext, and ciphertext with tag."""
    key, nonce, aad, plaintext, ciphertext = (
        bytes.fromhex(case[name]) for name in ("key", "nonce", "aad", "plaintext", "ciphertext")
    )
    return Key(key), nonce, aad, plaintext, ciphertext + bytes.fromhex(case["tag"])


@pytest.mark.parametrize("case", WITH_OUR_NONCE, ids=lambda case: f"tcId-{case['tcId']}")
def test_published_vectors_decide(case: dict[str, Any]) -> None:
    """A valid case opens and is made the same way; one with a changed tag is refused."""
    key, nonce, aad, plaintext, sealed = figures(case)
    if case["expected"] == "opens":
        assert key.decrypt(nonce, sealed, aad) == plaintext
        assert key.encrypt(nonce, plaintext, aad) == sealed
    else:
        with pytest.raises(Broken):
            key.decrypt(nonce, sealed, aad)


def test_another_length_of_nonce_is_refused() -> None:
    """96 bits are safe to draw at random, so no other length is taken, valid for GCM or not."""
    others = [case for case in CASES if case["expected"] == "refuses the nonce"]
    assert others
    for case in others:
        key, nonce, aad, plaintext, sealed = figures(case)
        with pytest.raises(Broken):
            key.decrypt(nonce, sealed, aad)
        with pytest.raises(ValueError, match="12 bytes"):
            key.encrypt(nonce, plaintext, aad)


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33])
def test_another_length_of_key_is_refused(size: int) -> None:
    """AES-128 and AES-192 are not what is promised."""
    with pytest.raises(ValueError, match="32 bytes"):
        Key(bytes(size))


@given(NONCES, st.binary(max_size=200), st.binary(max_size=200), st.data())
def test_one_bit_of_difference_is_refused(nonce: bytes, plaintext: bytes, aad: bytes, data: st.DataObject) -> None:
    """Whichever bit of the nonce, the ciphertext, the tag or the associated data it is."""
    key = Key.generate()
    parts = [nonce, key.encrypt(nonce, plaintext, aad), aad]
    assert key.decrypt(*parts) == plaintext
    which = data.draw(st.sampled_from([number for number, part in enumerate(parts) if part]))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    with pytest.raises(Broken):
        key.decrypt(*parts)


@given(st.binary(max_size=40))
def test_what_is_too_short_is_refused(ciphertext: bytes) -> None:
    """Bytes that nobody encrypted are refused, however few."""
    with pytest.raises(Broken):
        Key.generate().decrypt(bytes(NONCE_BYTES), ciphertext, b"")


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_lists_are_encoded_differently(one: list[str], other: list[str]) -> None:
    """No two lists of parts have the same bytes: ("a", "bc") is not ("ab", "c")."""
    assert (encode(*one) == encode(*other)) == (one == other)


def test_a_key_shows_nothing() -> None:
    """Neither its text nor an error has the bytes, and it can't be pickled or copied."""
    material = bytes(range(100, 100 + KEY_BYTES))
    key = Key(material)
    with pytest.raises(Broken) as broken:
        key.decrypt(bytes(NONCE_BYTES), bytes(32), b"")
    shown = f"{key!r} {key} {broken.value!r} {broken.value.__context__!r} {broken.value.__cause__!r}"
    for form in (repr(material)[2:-1], material.hex(), base64.b64encode(material).decode()):
        assert form not in shown
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            attempt(key)
    assert not hasattr(key, "__dict__"), "nor can it be dumped by vars()"
