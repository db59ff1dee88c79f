"""Nothing secret is in a log or an error, at the most talkative level, whether all goes well or much goes wrong."""

import base64
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from psycopg.conninfo import make_conninfo

from configclient import ConfigClient
from configsvc.crypto.signing import Signer
from configsvc.dev.stack import Stack
from configsvc.settings import Settings
from tests.delivery import wait_until

SCOPE = "/v1/namespaces/payments/envs/staging"


@dataclass
class Told:
    """Everything that anybody could read."""

    texts: list[str] = field(default_factory=list)

    def found(self, hidden: Mapping[str, bytes]) -> list[str]:
        """Which secrets are in it, in whatever spelling."""
        everything = "\n".join(self.texts)
        return [
            f"{name}, {how}"
            for name, secret in hidden.items()
            for how, spelling in _spellings(secret).items()
            if spelling in everything
        ]


def _spellings(secret: bytes) -> dict[str, str]:
    text = secret.decode("latin-1")
    return {
        "as it is": text,
        "as Python shows it": repr(secret)[2:-1],
        "URL-encoded": quote(secret, safe=""),
        "hexadecimal": secret.hex(),
        "base64": base64.b64encode(secret).decode().rstrip("="),
        "base64url": base64.urlsafe_b64encode(secret).decode().rstrip("="),
    }


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack that says all it has to say."""
    with Stack(tmp_path / "data", workers=1, log_level="debug") as running:
        yield running


@pytest.fixture
def hidden(stack: Stack, tmp_path: Path) -> Mapping[str, bytes]:
    """Every secret of the stack."""
    urls = {"service": stack.database_url, "superuser": stack.superuser_url}
    urls |= {"publisher": stack.redis_url, "listener": stack.push_redis_url}
    return {
        **{f"token of {role}": token.split("_", 2)[2].encode() for role, token in stack.tokens.items()},
        **{f"password of {name}": str(urlsplit(url).password).encode() for name, url in urls.items()},
        **_key_material(tmp_path / "data" / "signing-key.pem"),
    }


def _key_material(key_file: Path) -> dict[str, bytes]:
    pem = key_file.read_bytes()
    return {
        "signing key": load_pem_private_key(pem, None).private_bytes_raw(),  # type: ignore[union-attr]
        "signing key's file": pem.splitlines()[1],
        "idempotency key": Signer.load(key_file).derive("idempotency"),
    }


def _send(
    stack: Stack, method: str, path: str, body: object = None, token: str = "", **headers: str
) -> tuple[int, str]:
    """Send one request; the status, and everything that came back."""
    data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    address = urlsplit(stack.url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, f"{answer.headers}\n{answer.read().decode('latin-1')}"


def _send_raw(stack: Stack, request: bytes) -> None:
    """Send bytes that are no request. gunicorn's answer quotes them, to the one who has sent them."""
    address = urlsplit(stack.url)
    with socket.create_connection((str(address.hostname), address.port), 20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        connection.makefile("rb").read()


def _use(stack: Stack, told: Told) -> None:
    """Reads, writes, syncs and all kinds of refusals."""
    ops, service = stack.tokens["ops"], stack.tokens["service"]
    body = {"value": 1, "type": "int"}
    for headers in ({}, {"Idempotency_Key": "once"}, {"Idempotency_Key": "once"}, {"If_Match": '"v9"'}):
        told.texts.append(_send(stack, "PUT", f"{SCOPE}/config/a", body, ops, **headers)[1])
    ask = {"client": {"id": "1", "service": "test"}, "env": "staging", "namespaces": ["payments"]}
    assert _send(stack, "POST", "/v1/sync", ask, service)[0] == 200  # it holds the listener's password, for the client
    for token in (ops, service, f"{ops}x", ops[:-1] + "_", ops.swapcase(), f"{service} {ops}"):
        told.texts.append(_send(stack, "GET", f"{SCOPE}/config", token=token)[1])
        told.texts.append(_send(stack, "PUT", f"{SCOPE}/config/a", b"{", token=token)[1])
        told.texts.append(_send(stack, "POST", "/v1/sync", {"nonsense": 1}, token)[1])
    told.texts.append(_send(stack, "GET", "/v1/nothing", token=ops)[1])


def _misuse(stack: Stack) -> None:
    """Requests that never get as far as the application, each with a good token."""
    line = f"Authorization: Bearer {stack.tokens['ops']}".encode()
    for request in (
        b"GET / HTTP/1.1\r\nHost: x\r\n" + line.replace(b":", b" :") + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + line + b"\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + line.replace(b": ", b" ") + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n " + line + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + line + b"x" * 10_000 + b"\r\n\r\n",
        line + b"\r\n\r\n",
        b"GET /" + line.replace(b" ", b"") + b" HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + line,
        b"POST /v1/sync HTTP/1.1\r\nHost: x\r\n" + line + b"\r\nContent-Length: x\r\n\r\n",
    ):
        _send_raw(stack, request)


def _use_in_an_outage(stack: Stack, told: Told) -> None:
    """The same, whatever it answers."""
    token = stack.tokens["ops"]
    told.texts.append(_send(stack, "GET", f"{SCOPE}/config", token=token)[1])
    told.texts.append(_send(stack, "PUT", f"{SCOPE}/config/a", {"value": 2}, token)[1])


def test_a_stack_tells_no_secret(
    stack: Stack, hidden: Mapping[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs of every part, errors' bodies and the client's own log, through good and bad requests and outages."""
    told = Told()
    token = stack.tokens["service"]
    with (
        caplog.at_level(logging.DEBUG),
        ConfigClient("shop", "staging", ["payments"], url=stack.url, token=token) as client,
    ):
        _use(stack, told)
        wait_until(lambda: client.status().state == "live")
        _misuse(stack)
        for name in ("valkey", "postgres"):
            stack.part(name).kill(restart=False)
            _use_in_an_outage(stack, told)
            stack.part(name).start()
        wait_until(lambda: _send(stack, "GET", "/readyz")[0] == 200)
        _use(stack, told)
    told.texts.append(caplog.text)
    logs = {path.name: path.read_text("latin-1") for path in (tmp_path / "data" / "logs").iterdir()}
    assert "[DEBUG]" in logs["web.log"]
    assert logs.keys() >= {"web.log", "relay.log", "postgres.log", "valkey.log"}
    told.texts += logs.values()
    assert told.found(hidden) == []


@pytest.fixture
def wrong(settings: Settings) -> Mapping[str, str]:
    """Settings whose passwords nobody knows, for servers that are there."""

    def other(url: str) -> str:
        parts = urlsplit(url)
        return parts._replace(netloc=f"{parts.username}:hunter2@{parts.hostname}:{parts.port}").geturl()

    given = settings.model_copy(update={"log_level": "debug", "redis_url": other(settings.redis_url)})
    others = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    return others | given.to_environ()


def test_a_relay_with_a_wrong_password_tells_nothing(wrong: Mapping[str, str], settings: Settings) -> None:
    """It says that Redis refuses it, and neither the password nor its key."""
    command = [sys.executable, "-m", "configsvc", "relay"]
    told: list[str] = []
    with subprocess.Popen(command, env=dict(wrong), stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                told.append(line)
                if "Redis fails" in line:
                    break
        finally:
            process.terminate()
            told += process.communicate()[1:]
    assert Told(told).found({"password": b"hunter2", **_key_material(settings.signing_key_file)}) == []


@pytest.mark.parametrize("words", [["serve"], ["migrate"], ["token", "create", "--name", "a", "--role", "ops"]])
def test_a_start_that_fails_tells_nothing(wrong: Mapping[str, str], settings: Settings, words: list[str]) -> None:
    """It says what Postgres refuses, and not the password."""
    url = make_conninfo(settings.database_url, password="hunter2")
    command = [sys.executable, "-m", "configsvc", *words]
    done = subprocess.run(
        command, env=wrong | {"CONFIGSVC_DATABASE_URL": url}, capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    hidden = {"password": b"hunter2", **_key_material(settings.signing_key_file)}
    assert Told([done.stdout, done.stderr]).found(hidden) == []


def test_a_bad_key_file_tells_nothing(wrong: Mapping[str, str], settings: Settings, tmp_path: Path) -> None:
    """A key that is cut short, or open to others, is named by its file alone."""
    pem = settings.signing_key_file.read_bytes()
    for content, mode in ((pem[:60] + pem[70:], 0o600), (pem, 0o644)):
        path = tmp_path / f"{mode:o}.pem"
        path.write_bytes(content)
        path.chmod(mode)
        command = [sys.executable, "-m", "configsvc", "serve"]
        environ = wrong | {"CONFIGSVC_SIGNING_KEY_FILE": str(path)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30)
        assert done.returncode != 0
        assert str(path) in done.stderr
        assert Told([done.stdout, done.stderr]).found({"line": content.splitlines()[1]}) == []
