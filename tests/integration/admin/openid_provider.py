"""A small OpenID provider: real HTTP on loopback, real signatures, and what a broken or hostile one would answer."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "configsvc", "of the tests alone"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
#: Of somebody else, under the same name.
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
Claims = dict[str, Any]


@dataclass
class Provider:
    """Whom it signs in, and what it does wrong. ``spoil`` changes the claims; ``sign`` makes the token of them."""

    url: str
    person: Claims = field(default_factory=lambda: {"sub": "ada-1", "preferred_username": "ada", "groups": ["viewers"]})
    spoil: Callable[[Claims], object] = lambda _claims: None
    sign: Callable[[Claims], str] = lambda claims: jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
    #: Instead of a code, or of tokens.
    refuses_person: str | None = None
    refuses_code: str | None = None
    #: What it says about itself, beyond the truth.
    untrue: Claims = field(default_factory=dict)
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def discovery(self) -> Claims:
        """What it says about itself."""
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {"issuer": self.url, **{name: f"{self.url}/{path}" for name, path in paths.items()}, **self.untrue}

    def authorize(self, asked: Mapping[str, str]) -> str:
        """Sign the person in, and return where the browser goes."""
        assert (asked["client_id"], asked["response_type"]) == (CLIENT_ID, "code")
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        if self.refuses_person:
            return f"{asked['redirect_uri']}?{urlencode({'error': self.refuses_person, 'state': asked['state']})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: Mapping[str, str], authorization: str | None) -> tuple[int, Claims]:
        """Give tokens for a code, once, to who asked for it and knows the secret."""
        known = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        asked = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization != f"Basic {known}":
            return 401, {"error": "invalid_client"}
        if self.refuses_code or asked is None or asked["code_challenge"] != challenge:
            return 400, {"error": self.refuses_code or "invalid_grant"}
        if asked["redirect_uri"] != given["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.person
        self.spoil(claims)
        return 200, {"access_token": "of no use", "token_type": "Bearer", "id_token": self.sign(claims)}


def unsigned(claims: Claims) -> str:
    """A token with the algorithm "none"."""
    return ".".join(_encoded(part) for part in ({"alg": "none"}, claims)) + "."


def signed_with_our_secret(claims: Claims) -> str:
    """A token that whoever knows the client's secret could have made."""
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET.ljust(32)), algorithms=["HS256"])


def signed_by_another(claims: Claims) -> str:
    """A token by somebody else's key that has the name of the right one."""
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, OTHER_KEY)


def _encoded(part: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


@contextmanager
def running() -> Iterator[Provider]:
    """Run one on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self._json(200, provider.discovery())
            elif parts.path == "/keys":
                self._json(200, {"keys": [KEY.as_dict(private=False)]})
            elif parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(_flat(parts.query)))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self._json(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._json(*provider.token(_flat(body), self.headers["Authorization"]))

        def _json(self, status: int, content: Claims) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        provider = Provider(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield provider
        server.shutdown()
        thread.join()


def _flat(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
