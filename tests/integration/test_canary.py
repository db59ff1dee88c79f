"""The canary: secrets go every way that there is through a running service, and no trace of them is found anywhere.

Looked through: what a dump of the database would hold, all its files with the write-ahead log, everything that Valkey
was told, all logs at debug level, every answer that may not show them, arguments and surroundings of all processes, and
the client's disk cache and log. Raw, as JSON, base64, hex and URL. A plain value goes the same ways, to prove that what
is there would be found.
"""

import base64
import http.client
import json
import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import psycopg
import pytest

from configclient import ConfigClient
from configsvc.dev.process import descendants
from configsvc.dev.stack import Stack

DEADLINE_S = 20.0
ENV = "production"
SCOPE = f"/v1/namespaces/payments/envs/{ENV}"
GLASS = {"break_glass": {"reason": "a test"}}


def canary() -> str:
    """A value that nothing else looks like, with characters that each encoding writes in its own way."""
    return f"cänary-{secrets.token_hex(12)}/+?&\\"


def traces(value: str) -> dict[str, bytes]:
    """What a value looks like in each encoding."""
    raw = value.encode()
    found = {
        "raw": raw,
        "latin": value.encode("latin-1"),
        "json": json.dumps(value)[1:-1].encode(),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "url": quote(value, safe="").encode(),
        "query": quote_plus(value).encode(),
        # What an escape would break up.
        "core": raw[8:32],
        "core hex": raw[8:32].hex().encode(),
    }
    for offset, skipped in enumerate((0, 2, 3)):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            whole = encode(bytes(offset) + raw)
            found[f"{name}+{offset}"] = whole[skipped : len(whole) // 4 * 4 - 4]
    return found


class Everything:
    """What was seen, by where."""

    def __init__(self) -> None:
        self.places: dict[str, bytes] = {}

    def add(self, place: str, content: bytes) -> None:
        """Keep what was seen somewhere."""
        self.places[place] = self.places.get(place, b"") + b"\n" + content

    def where(self, value: str) -> list[str]:
        """The places with a trace of a value."""
        return [
            f"{place}: {name}"
            for name, trace in traces(value).items()
            for place, content in self.places.items()
            if trace in content
        ]


class Monitor:
    """Everything that Valkey is told, and all that is published, as it comes over the wire."""

    def __init__(self, redis_url: str) -> None:
        url = urlsplit(redis_url)
        self.content = b""
        self._sockets = []
        for command in (b"MONITOR\r\n", b"PSUBSCRIBE *\r\n"):
            connection = socket.create_connection((url.hostname or "", url.port or 0))
            user = f"{url.username} " if url.username else ""
            connection.sendall(f"AUTH {user}{url.password}\r\n".encode() + command)
            self._sockets.append(connection)
            threading.Thread(target=self._read, args=[connection], daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            self.content += data

    def close(self) -> None:
        """Stop listening."""
        for connection in self._sockets:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()


class Service:
    """Sends requests, and keeps every answer that may not show a secret."""

    def __init__(self, stack: Stack, seen: Everything) -> None:
        self._stack = stack
        self._seen = seen

    def send(self, role: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Send one request."""
        connection = http.client.HTTPConnection(self._stack.url.removeprefix("http://"), timeout=10)
        data = None if body is None else json.dumps(body)
        headers |= {"Authorization": f"Bearer {self._stack.tokens[role]}"}
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if role != "service" and not path.endswith("/reveal"):
            self._seen.add("answers", str(answer.headers).encode() + content)
        return answer.status, json.loads(content)

    def do(self, role: str, method: str, path: str, body: object = None) -> Any:
        """Send one request that has to succeed."""
        status, answer = self.send(role, method, path, body)
        assert status < 300, answer
        return answer


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack of its own, that logs all it can."""
    with Stack(tmp_path / "data", log_level="debug") as running:
        yield running


def keys_command(stack: Stack, *words: str) -> str:
    """Run `configsvc keys …` as an operator would."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    environ |= {"CONFIGSVC_DATABASE_URL": stack.database_url, "CONFIGSVC_KEYS": f"file:{stack.keys_file}"}
    command = [sys.executable, "-m", "configsvc", "keys", *words]
    run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def eventually(client: ConfigClient, value: str) -> None:
    """Wait until the application reads a value."""
    deadline = time.monotonic() + DEADLINE_S
    while client.get_str("payments", "db.password") != value:
        assert time.monotonic() < deadline
        client.wait_for(client.snapshot().revision + 1, 0.05)


def every_way(service: Service, stack: Stack, client: ConfigClient, canaries: Mapping[str, str]) -> None:
    """Send the canaries every way that there is."""
    do = service.do
    password = f"{SCOPE}/config/db.password"
    do("ops", "PUT", password, {"value": canaries["first"], **GLASS})
    eventually(client, canaries["first"])
    do("ops", "PUT", password, {"value": canaries["second"], "note": "rotate", **GLASS})
    eventually(client, canaries["second"])
    do("ops", "PUT", f"{password}?dry_run=true", {"value": canaries["tried"]})
    do("ops", "PATCH", f"{SCOPE}/config", {"changes": [{"key": "json", "value": {canaries["name"]: [1]}}], **GLASS})
    for wrong in (
        {"value": [canaries["refused"]]},
        {"value": canaries["refused"] + "x" * 300},
        {"valeu": canaries["refused"]},
    ):
        assert service.send("ops", "PUT", password, {**wrong, **GLASS})[0] == 422
    assert service.send("ops", "PUT", password, {"value": canaries["refused"]})[0] == 409
    assert service.send("viewer", "PUT", password, {"value": canaries["refused"]})[0] == 403
    do("ops", "POST", f"{password}/rollback", {"version": 1, **GLASS})
    eventually(client, canaries["first"])
    change = {"namespace": "payments", "key": "db.password", "value": canaries["proposed"]}
    request = do("developer", "POST", f"/v1/envs/{ENV}/requests", {"changes": [change], "note": "please"})
    url = f"/v1/requests/{request['id']}"
    do("ops", "GET", url)
    do("ops", "POST", f"{url}/reviews", {"decision": "approve"})
    do("developer", "POST", f"{url}/apply", {})
    eventually(client, canaries["proposed"])
    do("ops", "PUT", "/v1/namespaces/payments/envs/staging/config/db.password", {"value": canaries["promoted"]})
    do("ops", "POST", f"{SCOPE}/promote?dry_run=true", {"from": "staging"})
    do("ops", "POST", f"{SCOPE}/promote", {"from": "staging", "keys": ["db.password"], **GLASS})
    eventually(client, canaries["promoted"])
    for path in (
        "/v1/namespaces/payments/compare?envs=staging,production",
        f"{SCOPE}/config",
        password,
        f"{password}/versions",
        f"{SCOPE}/diff?from=0",
        f"/v1/envs/{ENV}/releases",
    ):
        do("admin", "GET", path)
    do("admin", "GET", "/v1/audit")
    assert do("ops", "POST", f"{password}/reveal", {"reason": "a test"})["value"] == canaries["promoted"]
    keys_command(stack, "add", str(stack.keys_file))
    assert "2 new data keys" in keys_command(stack, "rotate-data-keys")
    assert "wrapped anew" in keys_command(stack, "rewrap")
    assert "not the present one" not in keys_command(stack, "status")
    assert do("service", "GET", password)["value"] == canaries["promoted"]
    do("ops", "POST", f"{SCOPE}/restore", {"revision": 4, **GLASS})
    eventually(client, canaries["second"])


def look_everywhere(stack: Stack, folder: Path, seen: Everything) -> None:
    """Read all that a thief could."""
    with psycopg.connect(stack.superuser_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        tables = connection.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT") as rows:
                seen.add("dump", b"".join(map(bytes, rows)))
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            part = path.relative_to(folder).parts
            seen.add("WAL" if "pg_wal" in part else "/".join(part[:2]), path.read_bytes())
    for pid in descendants(os.getpid()):
        for name in ("cmdline", "environ"):
            seen.add(name, Path(f"/proc/{pid}/{name}").read_bytes())


@pytest.mark.long
def test_no_trace_of_a_secret_is_left_anywhere(stack: Stack, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However it came, and whatever was done with it."""
    caplog.set_level(logging.DEBUG)
    seen = Everything()
    service = Service(stack, seen)
    monitor = Monitor(stack.redis_url)
    plain = canary()
    canaries = {name: canary() for name in ("first", "second", "tried", "name", "refused", "proposed", "promoted")}
    keys = "/v1/namespaces/payments/keys"
    service.do(
        "ops", "POST", keys, {"key": "db.password", "type": "string", "secret": True, "schema": {"maxLength": 99}}
    )
    service.do("ops", "POST", keys, {"key": "json", "type": "json", "secret": True})
    service.do("ops", "PUT", f"{SCOPE}/config/plain", {"value": "", "type": "string", **GLASS})
    cache = tmp_path / "cache"
    with ConfigClient(
        "canary", ENV, ["payments"], url=stack.url, token=stack.tokens["service"], cache_dir=cache
    ) as client:
        changes: list[object] = []
        client.on_change(changes.append)
        client.wait_for(1, DEADLINE_S)
        revision = service.do("ops", "PUT", f"{SCOPE}/config/plain", {"value": plain, **GLASS})["revision"]
        assert client.wait_for(revision, DEADLINE_S)
        every_way(service, stack, client, canaries)
        # Once more: of 200 records in the log one is cut by a page's end, and shows no trace. Not both of two.
        for value in ("", plain):
            revision = service.do("ops", "PUT", f"{SCOPE}/config/plain", {"value": value, **GLASS})["revision"]
        assert client.wait_for(revision, DEADLINE_S)
        seen.add("client", repr([client, client.snapshot(), client.status(), *changes]).encode())
        look_everywhere(stack, tmp_path / "data", seen)
    monitor.close()
    seen.add("monitor", monitor.content)
    seen.add("log", caplog.text.encode())
    for path in cache.iterdir():
        seen.add("cache", path.read_bytes())
    found = {place.partition(":")[0] for place in seen.where(plain)}
    assert found >= {"dump", "WAL", "postgres/base", "monitor", "answers", "cache"}
    assert {name: where for name, value in canaries.items() if (where := seen.where(value))} == {}
