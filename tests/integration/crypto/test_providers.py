"""What each keeper of key-encryption keys has to do, whichever it is."""

import base64
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from configsvc.crypto.providers.provider import KeyProvider, Wrapped
from configsvc.errors import CannotOpen, Unavailable
from tests.integration.crypto.arenas import Arena

CONTEXT = {"namespace": "payments", "env": "production", "data_key": "7", "purpose": "secret"}
#: Of a test, all in all: by themselves HTTP clients wait for minutes.
BOUND_S = 20.0
CALLS: list[Callable[[KeyProvider, Wrapped], Any]] = [
    lambda provider, _: provider.current_kek(),
    lambda provider, _: provider.wrap(os.urandom(32), CONTEXT),
    lambda provider, wrapped: provider.unwrap(wrapped, CONTEXT),
    lambda provider, wrapped: provider.rewrap(wrapped, CONTEXT),
]


@pytest.fixture
def material() -> bytes:
    """A data key."""
    return os.urandom(32)


@pytest.fixture
def wrapped(arena: Arena, material: bytes) -> Wrapped:
    """It under the current KEK."""
    return arena.provider.wrap(material, CONTEXT)


def test_what_is_wrapped_unwraps(arena: Arena, material: bytes, wrapped: Wrapped) -> None:
    """The same bytes come back; what is stored is others, and names the KEK and whose it is."""
    assert arena.provider.unwrap(wrapped, CONTEXT) == material
    assert material not in wrapped.blob
    assert base64.b64encode(material) not in wrapped.blob
    assert wrapped.kek_id.startswith(f"{arena.name}:")
    assert wrapped.kek_id == arena.provider.current_kek()


def test_nothing_is_wrapped_twice_alike(arena: Arena, material: bytes, wrapped: Wrapped) -> None:
    """Two wrappings of one key can't be told from those of two keys."""
    assert arena.provider.wrap(material, CONTEXT).blob != wrapped.blob


def test_another_context_is_refused(arena: Arena, wrapped: Wrapped) -> None:
    """Each name in it counts, also where a key is only rewrapped."""
    for name in CONTEXT:
        for call in (arena.provider.unwrap, arena.provider.rewrap):
            with pytest.raises(CannotOpen, match=arena.name):
                call(wrapped, CONTEXT | {name: "other"})


def test_a_changed_byte_is_refused(arena: Arena, wrapped: Wrapped) -> None:
    """At the beginning, in the middle and at the end of what is stored; so is what is cut off or empty."""
    size = len(wrapped.blob)
    flipped = [
        wrapped.blob[:at] + bytes([wrapped.blob[at] ^ 1]) + wrapped.blob[at + 1 :] for at in (0, size // 2, size - 3)
    ]
    for blob in [*flipped, wrapped.blob[:-8], wrapped.blob[:20], b"x"]:
        with pytest.raises(CannotOpen, match=arena.name):
            arena.provider.unwrap(replace(wrapped, blob=blob), CONTEXT)


def test_an_unknown_kek_is_named(arena: Arena, wrapped: Wrapped) -> None:
    """A KEK that is not there, or is another provider's, is named: the operator has to find it."""
    for other in (arena.unknown(wrapped), replace(wrapped, kek_id="elsewhere:1")):
        for call in (arena.provider.unwrap, arena.provider.rewrap):
            with pytest.raises(CannotOpen) as caught:
                call(other, CONTEXT)
            assert other.kek_id in str(caught.value)


def test_a_kek_is_rotated(arena: Arena, material: bytes, wrapped: Wrapped) -> None:
    """The new one wraps, the old one still unwraps, and rewrapping brings a key from one to the other."""
    arena.rotate()
    current = arena.provider.current_kek()
    assert current != wrapped.kek_id
    assert arena.provider.wrap(material, CONTEXT).kek_id == current
    assert arena.provider.unwrap(wrapped, CONTEXT) == material
    rewrapped = arena.provider.rewrap(wrapped, CONTEXT)
    assert rewrapped.kek_id == current
    assert arena.provider.unwrap(rewrapped, CONTEXT) == material


def test_a_provider_that_is_down_is_named(arena: Arena, wrapped: Wrapped) -> None:
    """That is another error than a refusal: trying again is right."""
    arena.shut()
    for call in CALLS:
        with pytest.raises(Unavailable, match=arena.name) as caught:
            call(arena.provider, wrapped)
        assert not isinstance(caught.value, CannotOpen)


@pytest.mark.timeout(BOUND_S)
@pytest.mark.long
def test_a_provider_that_is_frozen_holds_nobody_for_long(arena: Arena, wrapped: Wrapped) -> None:
    """It is named within seconds, also on a connection that was good before."""
    arena.freeze()
    with pytest.raises(Unavailable, match=arena.name):
        arena.provider.unwrap(wrapped, CONTEXT)


def test_nothing_secret_is_shown(arena: Arena, material: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Neither texts nor errors nor any library's log at debug level has the key, in whatever form."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").debug("the log is read")
    wrapped = arena.provider.wrap(material, CONTEXT)
    shown = [repr(arena.provider), str(arena.provider), repr(wrapped)]
    arena.provider.unwrap(wrapped, CONTEXT)
    arena.provider.rewrap(wrapped, CONTEXT)
    with pytest.raises(CannotOpen) as refused:
        arena.provider.unwrap(wrapped, CONTEXT | {"env": "other"})
    arena.shut()
    for call in CALLS:
        with pytest.raises(Unavailable) as down:
            call(arena.provider, wrapped)
        shown += [repr(down.value), repr(down.value.__cause__)]
    shown += [repr(refused.value), *(f"{record.getMessage()} {record.args!r}" for record in caplog.records)]
    text = "\n".join(shown)
    assert "the log is read" in text
    for form in (repr(material)[2:-1], material.hex(), base64.b64encode(material).decode(), "s.only-this-one"):
        assert form not in text
