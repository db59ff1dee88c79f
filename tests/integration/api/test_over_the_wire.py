"""What only a real server shows: many connections at once, bodies without a length, held requests of other workers."""

import http.client
import json
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from configsvc.dev.stack import Stack
from configsvc.service import tokens
from configsvc.service.tokens import Wanted
from configsvc.store.access import NewGrant

WRITERS, READERS, RELEASES_EACH = 4, 4, 40
#: Promised by docs/security.md.
REVOKED_WITHIN_S = 10

Send = Callable[..., tuple[int, Any]]


@pytest.fixture
def connect(stack: Stack) -> Iterator[Callable[[str], Send]]:
    """Opens keep-alive connections, each used by one thread."""
    connections = []

    def make(role: str) -> Send:
        address = urlsplit(stack.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        connections.append(connection)

        def send(method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
            data = json.dumps(body).encode() if body is not None else None
            connection.request(method, path, data, {"Authorization": f"Bearer {stack.tokens[role]}"} | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "null")

        return send

    yield make
    for connection in connections:
        connection.close()


def test_every_answer_shows_both_namespaces_from_the_same_release(
    connect: Callable[[str], Send], new_namespace: Callable[[], str]
) -> None:
    """Under many writers, no sync and no sequence of deltas ever mixes two releases, and no reader goes backwards."""
    names = [new_namespace(), new_namespace()]
    setup = connect("ops")
    for name in names:
        status, _ = setup("POST", f"/v1/namespaces/{name}/keys", {"key": "n", "type": "string"})
        assert status == 201
    done = threading.Event()
    with ThreadPoolExecutor(WRITERS + READERS) as threads:
        readers = [threads.submit(_read, connect("service"), names, done, number % 2 == 0) for number in range(READERS)]
        writers = [threads.submit(_write, connect("ops"), names, number) for number in range(WRITERS)]
        try:
            for writer in writers:
                writer.result(60)
        finally:
            done.set()
        finals = {reader.result(30) for reader in readers}
    assert len(finals) == 1


def _write(send: Send, names: list[str], writer: int) -> None:
    for number in range(RELEASES_EACH):
        changes = [{"namespace": name, "key": "n", "value": f"{writer}.{number}"} for name in names]
        status, answer = send("POST", "/v1/envs/staging/releases", {"changes": changes})
        assert status == 200, answer


def _read(send: Send, names: list[str], done: threading.Event, deltas: bool) -> tuple[int, str]:
    """Follow both namespaces until the writers are done, and return what they show then."""
    state: dict[str, str] = {}
    have = view = None
    revision = 0
    while True:
        last = done.is_set()
        client = {"id": "1", "service": "test"}
        body = {"client": client, "env": "staging", "namespaces": names, "have": have, "view": view, "wait_s": 0.2}
        status, answer = send("POST", "/v1/sync", body)
        assert status == 200, answer
        for name, values in answer.get("values", {}).items():
            state[name] = values.get("n", {}).get("value", "")
        for name, changes in answer.get("changes", {}).items():
            state[name] = changes[-1]["value"]
        assert len({state[name] for name in names}) == 1, answer
        assert answer["revision"] >= revision
        revision = answer["revision"]
        if deltas:
            have, view = answer["cursor"], answer["view"]
        if last:
            return revision, state[names[0]]


@pytest.mark.long
def test_a_revoked_token_holds_nothing_for_10_s(stack: Stack, connect: Callable[[str], Send], namespace: str) -> None:
    """Watches and waits for convergence that would go on for half a minute are ended, whichever worker holds them."""
    path = f"/v1/namespaces/{namespace}/envs/staging"
    _, release = connect("ops")("PUT", f"{path}/config/a", {"value": 1, "type": "int"})
    wanted = Wanted(namespace, [NewGrant("service", "*", None)])
    stack.tokens[namespace] = tokens.create(stack.database_url, wanted, actor="the tests")
    calls = [f"{path}/watch?since={release['cursor']}&timeout=55"] * 4
    calls += [f"/v1/envs/staging/releases/{release['revision']}/convergence?wait=30"] * 2
    # Each connection has asked before, so its worker knows the token.
    sends = [connect(namespace) for _ in calls]
    assert {send("GET", f"{path}/config")[0] for send in sends} == {200}
    with ThreadPoolExecutor(len(calls)) as threads:
        held = [threads.submit(send, "GET", call) for send, call in zip(sends, calls, strict=True)]
        with psycopg.connect(stack.superuser_url, autocommit=True) as connection:
            connection.execute("UPDATE token SET revoked_at = clock_timestamp() WHERE name = %s", [namespace])
        deadline = time.monotonic() + REVOKED_WITHIN_S
        assert {request.result(deadline - time.monotonic())[0] for request in held} == {401}


@contextmanager
def streams(stack: Stack, path: str, count: int) -> Iterator[list[Callable[[], str]]]:
    """Open streams, of whichever worker; each gives its next line that says something."""
    with ExitStack() as open_:
        reads = []
        for _ in range(count):
            request = urllib.request.Request(
                f"{stack.url}{path}", headers={"Authorization": f"Bearer {stack.tokens['service']}"}
            )
            answer = open_.enter_context(urllib.request.urlopen(request, timeout=20))
            reads.append(partial(_next_line, answer))
        yield reads


def _next_line(answer: Any) -> str:
    while True:
        line = str(answer.readline(), "utf-8")
        if line.startswith(("id: ", "event: ")) or not line:
            return line.strip()


def test_every_stream_hears_of_every_release(stack: Stack, connect: Callable[[str], Send], namespace: str) -> None:
    """All of them over one connection each, in order, whichever worker has them and whichever took the write."""
    path = f"/v1/namespaces/{namespace}/envs/staging"
    ops = connect("ops")
    _, first = ops("PUT", f"{path}/config/a", {"value": 0, "type": "int"})
    with streams(stack, f"{path}/stream", 20) as reads:
        assert {read() for read in reads} == {f"id: {first['cursor']}"}
        for value in range(1, 4):
            _, release = ops("PUT", f"{path}/config/a", {"value": value})
            assert {read() for read in reads} == {f"id: {release['cursor']}"}


def test_no_header_tells_versions(stack: Stack) -> None:
    """The server does not say which version of what it runs."""
    address = urlsplit(stack.url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        connection.request("GET", "/healthz")
        headers = connection.getresponse().headers
    assert headers.get_all("Server") == ["gunicorn"]
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_a_body_of_untold_length_is_read_whole_or_refused(stack: Stack, namespace: str) -> None:
    """Chunked bodies work; over the limit they are 413 and never cut off at it."""
    address = urlsplit(stack.url)
    path = f"/v1/namespaces/{namespace}/envs/staging/config/a"
    body = b'{"value": 1, "type": "int"}'
    for padding, status in ((0, 200), (1024 * 1024 - len(body), 200), (1024 * 1024, 413)):
        chunks = iter([body, b" " * padding]) if padding else iter([body])
        headers = {"Authorization": f"Bearer {stack.tokens['ops']}"}
        with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
            connection.request("PUT", path, chunks, headers, encode_chunked=True)
            answer = connection.getresponse()
            assert answer.status == status, padding
            assert json.loads(answer.read()).get("code") == (None if status == 200 else "payload_too_large")


def raw(stack: Stack, data: bytes) -> bytes:
    """Send bytes, and return all that is answered until the service closes."""
    address = urlsplit(stack.url)
    with closing(socket.create_connection((str(address.hostname), address.port or 0), timeout=10)) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


SYNC = b"POST /v1/sync HTTP/1.1\r\nHost: x\r\n"
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "chunks",
    [
        b"0x0\r\n\r\n",
        b"-1\r\n\r\n",
        b"1\nx\n0\n\n",
        b"1;a=\nb\r\nx\r\n0\r\n\r\n",
        b"1\r\nxx\r\n0\r\n\r\n",
        b"0\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_malformed_chunks_are_the_senders_fault(stack: Stack, chunks: bytes) -> None:
    """The one answer is a problem document with 400, and nothing after it is taken for a request."""
    token = f"Authorization: Bearer {stack.tokens['ops']}\r\n".encode()
    answer = raw(stack, SYNC + token + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + HIDDEN)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"400"]
    assert b"Connection: close" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "malformed"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 0\r\nContent-Length: 38",
        b"Content-Length: 0, 0",
        b"Content-Length: +0",
        b"Content-Length: -1",
        b"Content-Length: 1_0",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding:\r\n chunked",
        b"X: a\rContent-Length: 38",
        b"X: a\nContent-Length: 38",
    ],
)
def test_no_request_hides_in_another(stack: Stack, headers: bytes) -> None:
    """Where proxies and servers have been seen to differ about a body's end, there is one refusal and no more."""
    answer = raw(stack, SYNC + headers + b"\r\n\r\n0\r\n\r\n" + HIDDEN)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) in ([b"400"], [b"501"])


@pytest.mark.parametrize("chunked", [False, True])
def test_who_sends_too_much_still_reads_the_answer(stack: Stack, chunked: bool) -> None:
    """A client that sends all of 8 MiB before it reads gets 413, and is told that the connection ends."""
    address = urlsplit(stack.url)
    headers = {"Authorization": f"Bearer {stack.tokens['ops']}"}
    body = iter([b" " * 65536] * 128) if chunked else b" " * (8 * 1024 * 1024)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        connection.request("POST", "/v1/sync", body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (413, "close")


def test_a_refused_call_keeps_its_connection(stack: Stack) -> None:
    """A small body that nobody read is read after the answer, so that a wrong token costs no connection each time."""
    address = urlsplit(stack.url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        for _ in range(3):
            connection.request("POST", "/v1/sync", b" " * 10_000, {"Authorization": "Bearer none"})
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Connection"]) == (401, "keep-alive")
            answer.read()


def test_a_head_comes_without_its_body(stack: Stack) -> None:
    """Of HEAD, whose length is that of the body it leaves out; and the connection is good for the next request."""
    address = urlsplit(stack.url)
    with closing(http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)) as connection:
        for method in ("GET", "HEAD", "GET"):
            connection.request(method, "/healthz")
            answer = connection.getresponse()
            told = int(answer.headers["Content-Length"])
            assert (answer.status, told > 0) == (200, True)
            assert len(answer.read()) == (0 if method == "HEAD" else told)


def test_a_release_wakes_held_requests_of_every_worker(connect: Callable[[str], Send], namespace: str) -> None:
    """Eight requests held by whichever worker are all answered by one release."""
    path = f"/v1/namespaces/{namespace}/envs/staging"
    ops = connect("ops")
    _, first = ops("PUT", f"{path}/config/a", {"value": 1, "type": "int"})
    with ThreadPoolExecutor(8) as threads:
        watch = f"{path}/watch?since={first['cursor']}&timeout=15"
        held = [threads.submit(connect("service"), "GET", watch) for _ in range(8)]
        _, second = ops("PUT", f"{path}/config/a", {"value": 2})
        for request in held:
            status, answer = request.result(14)
            assert (status, answer["cursor"]) == (200, second["cursor"])
