"""An OpenID provider, as its client: where a browser is sent, and what the code that it comes back with is worth.

Authorization code with PKCE. Nothing is kept here between leaving and coming back: state, nonce and verifier derive
from one secret in the browser's cookie. Keys are fetched at each sign-in, so a provider may replace them at any time.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, KeySetSerialization

from configsvc.errors import Unauthenticated, Unavailable

#: To connect, and for each silence while an answer comes.
TIMEOUT_S = 5.0
#: How long the provider's addresses are remembered.
_ADDRESSES_S = 300.0
#: Its clock and ours.
_LEEWAY_S = 30
#: What only the provider can sign: none that is "none", and none by a secret that we have, too.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Client:
    """What the provider knows us by. ``secret`` None: it knows us by PKCE alone."""

    issuer: str
    id: str
    secret: str | None = field(repr=False)
    redirect_url: str
    scope: str


@dataclass(frozen=True)
class Journey:
    """What ties an answer of the provider to the browser that asked: all of it from one secret."""

    secret: str = field(repr=False)

    @property
    def state(self) -> str:
        """Comes back as it was sent."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """Is in the ID token."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """Shows that who brings the code asked for it."""
        return self._derived("verifier")

    def is_of(self, state: str) -> bool:
        """Tell whether an answer with this state is for this journey."""
        return hmac.compare_digest(state.encode(), self.state.encode())

    def _derived(self, what: str) -> str:
        digest = hmac.digest(self.secret.encode(), what.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Provider:
    """Sends browsers to the provider, and hears from it who came back."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._addresses: TTLCache[str, Mapping[str, Any]] = TTLCache(1, _ADDRESSES_S)

    def address(self, journey: Journey) -> str:
        """Return where a browser signs in.

        Raises:
            Unavailable: the provider does not answer as one.
        """
        with self._session() as session:
            endpoint = self._found(session)["authorization_endpoint"]
            address, _ = session.create_authorization_url(
                endpoint, state=journey.state, code_verifier=journey.verifier, nonce=journey.nonce
            )
            return str(address)

    def claims(self, journey: Journey, code: str) -> Mapping[str, Any]:
        """Return what the provider says about who came back with ``code``.

        Raises:
            Unauthenticated: it takes the code for none, or what it answers is not its own, not for us, not of now.
            Unavailable: the provider does not answer as one.
        """
        with self._session() as session:
            addresses = self._found(session)
            try:
                token = session.fetch_token(
                    addresses["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=journey.verifier,
                    allow_redirects=False,
                )
            except AuthlibBaseError as error:
                raise Unauthenticated(f"the provider refused the sign-in: {error.error}") from None
            except (requests.RequestException, ValueError) as error:
                raise _silent(error) from None
            return self._checked(token, _json(session, addresses["jwks_uri"]), journey.nonce)

    def _session(self) -> OAuth2Session:
        return OAuth2Session(
            self._client.id,
            self._client.secret,
            scope=self._client.scope,
            redirect_uri=self._client.redirect_url,
            code_challenge_method="S256",
            default_timeout=TIMEOUT_S,
        )

    def _found(self, session: OAuth2Session) -> Mapping[str, Any]:
        issuer = self._client.issuer
        if (known := self._addresses.get(issuer)) is not None:
            return known
        found: Mapping[str, Any] = _json(session, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer or not all(isinstance(found.get(name), str) for name in _NEEDED):
            raise _silent(ValueError("what it says about itself is not of this issuer, or not whole"))
        self._addresses[issuer] = found
        return found

    def _checked(self, token: Mapping[str, Any], keys: KeySetSerialization, nonce: str) -> Mapping[str, Any]:
        try:
            signed = jwt.decode(token["id_token"], KeySet.import_key_set(keys), algorithms=_ALGORITHMS)
            options = {"iss": {"essential": True, "value": self._client.issuer}}
            options["aud"] = {"essential": True, "value": self._client.id}
            params = {"nonce": nonce, "client_id": self._client.id, "access_token": token.get("access_token")}
            claims = CodeIDToken(signed.claims, signed.header, options, params)
            claims.validate(leeway=_LEEWAY_S)
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise Unauthenticated(f"the provider's ID token is not one for us: {_said(error)}") from None
        return dict(claims)


def _json(session: OAuth2Session, address: str) -> Any:
    try:
        answer = session.get(address, withhold_token=True, allow_redirects=False)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise _silent(error) from None
    if not isinstance(found, dict):
        raise _silent(ValueError("no JSON object"))
    return found


def _silent(error: Exception) -> Unavailable:
    return Unavailable(f"the OpenID provider does not answer as one: {_said(error)}")


def _said(error: Exception) -> str:
    """Name what is wrong, without addresses and codes that a library's message may hold."""
    return str(error) if isinstance(error, ValueError | JoseError) and len(str(error)) < 100 else type(error).__name__
