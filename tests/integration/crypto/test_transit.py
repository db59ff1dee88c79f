"""What only Vault's transit engine has: derived keys, a token, redirects."""

import os

import pytest

from configsvc.crypto.providers import open_provider
from configsvc.errors import CannotOpen, SetupError, Unavailable
from tests.integration.crypto.arenas import TransitArena

CONTEXT = {"namespace": "payments", "env": "production"}
MATERIAL = os.urandom(32)


def test_a_key_that_is_not_derived_is_refused(transit: TransitArena) -> None:
    """Vault would ignore the context: the error says how such a key is made, and nothing is wrapped."""
    transit.transit.derived = False
    with pytest.raises(CannotOpen, match="vault write -f transit/keys/configsvc derived=true"):
        transit.provider.wrap(MATERIAL, CONTEXT)
    assert transit.transit.asked == ["GET /v1/transit/keys/configsvc"]


def test_the_kind_of_key_is_asked_for_once(transit: TransitArena) -> None:
    """Each further wrapping is one call, and so are unwrapping and rewrapping."""
    for _ in range(2):
        wrapped = transit.provider.wrap(MATERIAL, CONTEXT)
    transit.provider.unwrap(wrapped, CONTEXT)
    transit.provider.rewrap(wrapped, CONTEXT)
    asked = [line.removeprefix("PUT ").removeprefix("POST ") for line in transit.transit.asked]
    assert asked == [
        "GET /v1/transit/keys/configsvc",
        "/v1/transit/encrypt/configsvc",
        "/v1/transit/encrypt/configsvc",
        "/v1/transit/decrypt/configsvc",
        "/v1/transit/rewrap/configsvc",
    ]


def test_a_renewed_token_is_taken(transit: TransitArena) -> None:
    """Vault's agent writes a new one into the file, and the next call has it; the old one is refused."""
    transit.transit.token = "s.another"
    with pytest.raises(CannotOpen, match="Forbidden"):
        transit.provider.wrap(MATERIAL, CONTEXT)
    transit.token_file.write_text("s.another")
    transit.provider.wrap(MATERIAL, CONTEXT)
    transit.token_file.unlink()
    with pytest.raises(Unavailable, match=r"vault-transit has no token: .*token: No such file"):
        transit.provider.wrap(MATERIAL, CONTEXT)


def test_the_token_may_be_in_the_environment(transit: TransitArena, monkeypatch: pytest.MonkeyPatch) -> None:
    """VAULT_TOKEN is taken where no file is named; without either nothing starts."""
    address = transit.address.partition("?")[0]
    monkeypatch.delenv("VAULT_TOKEN", raising=False)
    with pytest.raises(SetupError, match=r"no token: add \?token_file=FILE to CONFIGSVC_KEYS, or set VAULT_TOKEN"):
        open_provider(address)
    monkeypatch.setenv("VAULT_TOKEN", transit.transit.token)
    open_provider(address).wrap(MATERIAL, CONTEXT)


@pytest.mark.parametrize(
    "instead",
    [
        (307, b""),
        (200, b"<html>log in</html>"),
        (200, b'{"data": {"plaintext": "no base64"}}'),
        (200, b"[]"),
        (429, b'{"errors": ["rate limit"]}'),
        (500, b'{"errors": ["internal error"]}'),
        (503, b'{"errors": ["Vault is sealed"]}'),
    ],
)
def test_what_is_no_answer_of_transits_is_unavailable(transit: TransitArena, instead: tuple[int, bytes]) -> None:
    """A sealed Vault, a proxy that wants a login, a redirect: nothing is opened, and trying again is right."""
    wrapped = transit.provider.wrap(MATERIAL, CONTEXT)
    transit.transit.instead = instead
    with pytest.raises(Unavailable, match="vault-transit") as caught:
        transit.provider.unwrap(wrapped, CONTEXT)
    assert not isinstance(caught.value, CannotOpen)
