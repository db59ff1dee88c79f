"""A double of Vault's transit engine that checks what it is asked, and encrypts for real.

It takes what a derived key of type aes256-gcm96 takes, and answers with Vault's statuses and words: 500 for what does
not authenticate (its issue 10842), no associated data in `rewrap` (its issue 29532).
"""

import base64
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NAME = "configsvc"
_FIELDS = {
    "encrypt": {"plaintext", "context"},
    "decrypt": {"ciphertext", "context"},
    "rewrap": {"ciphertext", "context"},
}


class Refused(Exception):
    """Status and words."""


class Transit:
    """The engine at ``transit/`` with one key. ``asked`` is what came in: method and path."""

    def __init__(self) -> None:
        self.token = "s.only-this-one"
        self.derived = True
        self.versions = [os.urandom(32)]
        self.asked: list[str] = []
        #: Answered instead, when set.
        self.instead: tuple[int, bytes] | None = None
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.transit = self
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, token: str | None, body: dict[str, str]) -> dict[str, Any]:
        """Do what Vault does, or refuse it as Vault does."""
        if token != self.token:
            raise Refused(403, "permission denied")
        match [method, *path.removeprefix("/v1/transit/").split("/")]:
            case ["GET", "keys", name] if name == _NAME:
                return {"type": "aes256-gcm96", "derived": self.derived, "latest_version": len(self.versions)}
            case ["POST" | "PUT", ("encrypt" | "decrypt" | "rewrap") as what, name] if name == _NAME:
                return self._crypt(what, body)
        raise Refused(404, f"no handler for route {path!r}")

    def _crypt(self, what: str, body: dict[str, str]) -> dict[str, str]:
        if body.keys() != _FIELDS[what]:
            raise Refused(400, f"{what} takes {sorted(_FIELDS[what])} here")
        context = _decoded(body["context"])
        plaintext = _decoded(body["plaintext"]) if what == "encrypt" else self._decrypt(body["ciphertext"], context)
        if what == "decrypt":
            return {"plaintext": base64.b64encode(plaintext).decode()}
        nonce, version = os.urandom(12), len(self.versions)
        sealed = nonce + self._key(version, context).encrypt(nonce, plaintext, None)
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}"}

    def _decrypt(self, ciphertext: str, context: bytes) -> bytes:
        try:
            vault, version, text = ciphertext.split(":")
            number, sealed = int(version.removeprefix("v")), base64.b64decode(text, validate=True)
        except ValueError:
            raise Refused(400, "invalid ciphertext: no prefix") from None
        if vault != "vault" or not 1 <= number <= len(self.versions):
            raise Refused(400, "invalid ciphertext: version is too new")
        try:
            return self._key(number, context).decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError):
            raise Refused(500, "1 error occurred:\n\t* cipher: message authentication failed\n\n") from None

    def _key(self, version: int, context: bytes) -> AESGCM:
        if not context:
            raise Refused(400, "missing 'context' for key derivation; the key was created using a derived key")
        return AESGCM(HKDF(SHA256(), 32, salt=None, info=context).derive(self.versions[version - 1]))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    transit: Transit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer by the engine."""
        transit = self.server.transit
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        transit.asked.append(f"{self.command} {self.path}")
        try:
            data = transit.answer(self.command, self.path, self.headers["X-Vault-Token"], body)
            status, content = 200, json.dumps({"request_id": "1", "data": data}).encode()
        except Refused as refused:
            status, words = refused.args
            content = json.dumps({"errors": [words]}).encode()
        status, content = transit.instead or (status, content)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused(400, "failed to base64-decode") from None
