"""Sealed values open in their place alone; fingerprints compare without showing."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.crypto.aead import Broken, Key
from configsvc.crypto.envelope import Place, Sealed, fingerprint, seal, unseal
from configsvc.domain import strict_json

KEY = Key.generate()
KEY_ID = uuid4()
PLACE = Place("payments", "production", "db.password", uuid4())
JSON_TEXTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
).map(strict_json.dumps)


@given(JSON_TEXTS)
def test_what_is_sealed_opens_to_the_same_text(text: str) -> None:
    """Every canonical JSON text comes back exactly, without its padding."""
    assert unseal(KEY, PLACE, seal(KEY, KEY_ID, PLACE, text)) == text


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, namespace="search"),
        replace(PLACE, env="staging"),
        replace(PLACE, key="db.password2"),
        replace(PLACE, value_id=UUID(int=PLACE.value_id.int ^ 1)),
        replace(PLACE, namespace=PLACE.key, key=PLACE.namespace),
        replace(PLACE, namespace=PLACE.namespace + PLACE.key[:1], key=PLACE.key[1:]),
    ],
)
def test_a_moved_row_does_not_open(elsewhere: Place) -> None:
    """Another namespace, environment, key or value id is another place, and so is the same text cut elsewhere."""
    with pytest.raises(Broken):
        unseal(KEY, elsewhere, seal(KEY, KEY_ID, PLACE, '"hunter2"'))


@given(st.integers(0, 8 * (12 + 64 + 16) - 1))
def test_a_flipped_bit_does_not_open(bit: int) -> None:
    """Wherever it is in what is stored."""
    sealed = seal(KEY, KEY_ID, PLACE, '"hunter2"')
    stored = bytearray(sealed.nonce + sealed.ciphertext)
    stored[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Broken):
        unseal(KEY, PLACE, Sealed(KEY_ID, bytes(stored[:12]), bytes(stored[12:])))


def test_nonces_never_repeat() -> None:
    """100,000 times the same value: as many nonces."""
    assert len({seal(KEY, KEY_ID, PLACE, "1").nonce for _ in range(100_000)}) == 100_000


def test_lengths_tell_little() -> None:
    """`true` and `false`, or two passwords of everyday lengths, are as long as each other."""
    sizes = {len(seal(KEY, KEY_ID, PLACE, text).ciphertext) for text in ("true", "false", '"a"', f'"{"b" * 62}"')}
    assert sizes == {64 + 16}
    assert len(seal(KEY, KEY_ID, PLACE, f'"{"b" * 63}"').ciphertext) == 128 + 16


def test_what_is_stored_does_not_crowd_a_log() -> None:
    """A sealed value shows its data key's id alone."""
    assert repr(seal(KEY, KEY_ID, PLACE, '"hunter2"')) == f"Sealed(data_key_id={KEY_ID!r})"


def test_a_fingerprint_is_of_key_type_and_text() -> None:
    """The same value under the same key is the same; another type, text, key or scope's key is not."""
    one = fingerprint(KEY, "port", "int", "1")
    assert one == fingerprint(KEY, "port", "int", "1")
    assert len(one) == 16
    assert int(one, 16) >= 0
    others = [
        fingerprint(KEY, "port", "float", "1"),
        fingerprint(KEY, "port", "int", "2"),
        fingerprint(KEY, "ports", "int", "1"),
        fingerprint(Key.generate(), "port", "int", "1"),
    ]
    assert len({one, *others}) == 5
