"""Abuse: whatever is sent, the worker answers all others meanwhile, is never replaced, and takes nothing for a bug.

One worker, real sockets. ``others`` asks beside each test, as a client and a probe do.
"""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from socket import create_connection, socket
from urllib.parse import urlsplit

import pytest

from benchmarks.crowd import children
from configsvc.dev.stack import Stack
from configsvc.gunicorn_worker import BODY_TIMEOUT_S, HEADERS_TIMEOUT_S

pytestmark = pytest.mark.long

SLOW = 200
HELD = 500
WRONG_TOKENS = 1_000
GIB = 1 << 30
#: A worker that is busy for as long is replaced soon after.
ANSWERS_WITHIN_S = 10.0
#: Beside the machine's other work.
GRACE_S = 10.0
NAMESPACE = "abused"
CONFIG = f"/v1/namespaces/{NAMESPACE}/envs/staging/config"
KEYS = f"/v1/namespaces/{NAMESPACE}/keys"

Answer = tuple[int, bytes]
Send = Callable[..., Answer]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with one worker."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, workers=1) as running:
        yield running
        log = (folder / "logs" / "web.log").read_text()
    assert "Traceback" not in log


@pytest.fixture
def connect(stack: Stack) -> Iterator[Callable[[], socket]]:
    """Opens connections."""
    address = urlsplit(stack.url)
    with ExitStack() as open_:
        yield lambda: open_.enter_context(create_connection((str(address.hostname), address.port or 0), timeout=60))


@pytest.fixture
def send(stack: Stack) -> Send:
    """Sends a request, over a connection of its own; returns status and body."""

    def send(method: str, path: str, body: object = None, token: str | None = None) -> Answer:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token or stack.tokens['admin']}"}
        with closing(http.client.HTTPConnection(urlsplit(stack.url).netloc, timeout=ANSWERS_WITHIN_S)) as connection:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    return send


@pytest.fixture(autouse=True)
def others(stack: Stack, send: Send) -> Iterator[None]:
    """Who asks meanwhile is answered each time, and by the same worker before and after."""
    send("POST", "/v1/namespaces", {"name": NAMESPACE})
    web = stack.part("web").pid or 0
    workers, done, statuses = children(web), threading.Event(), []

    def ask() -> None:
        while not (statuses and done.wait(0.05)):
            statuses.extend(send("GET", path)[0] for path in (CONFIG, "/readyz"))

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield
        finally:
            done.set()
        asking.result(2 * ANSWERS_WITHIN_S)
    assert set(statuses) == {200}
    assert children(web) == workers


def head(stack: Stack, more: bytes) -> bytes:
    """Begin a request that has a body."""
    token = stack.tokens["ops"].encode()
    return b"POST /v1/sync HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n" + more + b"\r\n"


def drip(connections: list[socket], until_s: float) -> list[bytes]:
    """Send a byte over each, each second, until all are closed; return what was answered."""
    pause = threading.Event()
    for _ in range(int(until_s)):
        for connection in connections:
            with suppress(OSError):  # it is closed
                connection.sendall(b"1")
        pause.wait(1)
    return [_read(connection) for connection in connections]


def _read(connection: socket) -> bytes:
    answer = b""
    connection.settimeout(GRACE_S)
    with suppress(ConnectionResetError):  # one more byte came after the end
        while data := connection.recv(65536):
            answer += data
    return answer


def test_slow_headers_end(stack: Stack, connect: Callable[[], socket]) -> None:
    """Whoever sends a byte of its headers each second is let go, and gets no answer."""
    connections = [connect() for _ in range(SLOW)]
    for connection in connections:
        connection.sendall(head(stack, b"X-Slow: "))
    silent = connect()
    silent.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" + head(stack, b"X-Silent: "))
    assert set(drip(connections, HEADERS_TIMEOUT_S + 2)) == {b""}
    assert _read(silent).count(b"HTTP/1.1 200 OK") == 1, "what came whole before a part is answered, and no more"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_slow_bodies_end(stack: Stack, connect: Callable[[], socket], framing: bytes) -> None:
    """Whoever sends a byte of its body each second gets 400 after a while, if its next byte resets nothing."""
    connections = [connect() for _ in range(SLOW)]
    for connection in connections:
        connection.sendall(head(stack, framing) + (b"fff\r\n" if b"chunked" in framing else b""))
    answers = drip(connections, BODY_TIMEOUT_S + 2)
    assert {answer[:12] for answer in answers} - {b""} == {b"HTTP/1.1 400"}
    assert any(b'"malformed"' in answer for answer in answers)


@pytest.mark.parametrize(
    ("framing", "piece"),
    [
        (f"Content-Length: {GIB}\r\n".encode(), b"a" * 65536),
        (b"Transfer-Encoding: chunked\r\n", b"10000\r\n" + b"a" * 65536 + b"\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"1\r\na\r\n" * 10_000),
        (b"Transfer-Encoding: chunked\r\n", (b"1;" + b"a" * 8_000 + b"\r\na\r\n") * 8),
    ],
    ids=["length", "chunks", "tiny chunks", "long extensions"],
)
def test_bodies_of_a_gib_are_cut(stack: Stack, connect: Callable[[], socket], framing: bytes, piece: bytes) -> None:
    """Four that send 1 GiB each as fast as they can are stopped long before its end, by 413 where they look."""

    def flood(connection: socket) -> int:
        connection.sendall(head(stack, framing))
        sent = 0
        with suppress(OSError):
            while sent < GIB:
                connection.sendall(piece)
                sent += len(piece)
        return sent

    connections = [connect() for _ in range(4)]
    with ThreadPoolExecutor(8) as threads:
        floods = [threads.submit(flood, connection) for connection in connections]
        answers = [threads.submit(_first, connection) for connection in connections]
        assert {answer.result(BODY_TIMEOUT_S + GRACE_S) for answer in answers} <= {b"HTTP/1.1 413", b"HTTP/1.1 400"}
        assert max(sent.result(GRACE_S) for sent in floods) < GIB


def _first(connection: socket) -> bytes:
    return connection.recv(12)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"value":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"value":"' + b'\\"' * 500_000,
        b"1" * 1_000_000,
        b'{"value":1e' + b"9" * 1_000_000 + b"}",
        b"\xff" * 1_000_000,
        b'{"value":{' + b",".join(b'"%d":1' % (number % 90_000) for number in range(90_001)) + b"}}",
    ],
    ids=["arrays", "objects", "a little too deep", "a text without end", "digits", "exponent", "bytes", "duplicates"],
)
def test_hostile_json_is_malformed(send: Send, body: bytes) -> None:
    """It is refused with 400, whatever its depth and size."""
    for _ in range(5):
        assert send("PUT", f"{CONFIG}/a", body)[0] == 400


def test_huge_addresses_and_headers_are_refused(stack: Stack, connect: Callable[[], socket]) -> None:
    """Each gets the status that says what is too large; thousands of parameters that fit are 400."""
    token = f"Authorization: Bearer {stack.tokens['ops']}\r\n\r\n".encode()
    for request, status in (
        (b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET /v1/audit?" + b"a=1&" * 1_000 + b" HTTP/1.1\r\n" + token, b"400"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n", b"431"),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: a\r\n" * 100_000 + b"\r\n", b"431"),
    ):
        for _ in range(5):
            connection = connect()
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(request)
            assert connection.recv(12) == b"HTTP/1.1 " + status


def test_hostile_schemas_hold_nobody_up(send: Send) -> None:
    """Patterns and references that would take minutes are refused, or take no time; so do many large values at once."""
    pairs = {f"a{number}": {"anyOf": [{"$ref": f"#/$defs/a{number + 1}"}] * 2} for number in range(30)}
    hostile: list[tuple[object, object]] = [
        ({"pattern": "^(a+)+$"}, "a" * 200_000 + "!"),
        ({"pattern": ".*a.{3000}$"}, "a" * 200_000),
        ({"pattern": "(?:a?){200}a{200}"}, "a" * 200_000),
        ({"$ref": "#/$defs/a0", "$defs": {**pairs, "a30": {"type": "null"}}}, 1),
        ({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}]}, [[[[1]]]]),
        ({"items": {"not": {"enum": [number + 0.5 for number in range(8_000)]}}}, [-1.5] * 20_000),
        ({"allOf": [{"items": {"multipleOf": 1e-300}}] * 50}, [1.7e308] * 20_000),
    ]
    for number, (schema, value) in enumerate(hostile):
        declared, _ = send("POST", KEYS, {"key": f"k{number}", "type": "json", "schema": schema})
        assert declared in (201, 422)
        if declared == 201:
            assert send("PUT", f"{CONFIG}/k{number}", {"value": value})[0] in (200, 422)
    large = [{"key": f"l{n}", "type": "json", "schema": {"pattern": f"^{n}.{{900}}"}} for n in range(5_000)]
    assert send("PATCH", KEYS, {"keys": large})[0] == 422
    schema = {"items": {"allOf": [{"not": {"const": f"x{number}"}} for number in range(1_000)]}}
    keys = [{"key": f"many{number}", "type": "json", "schema": schema} for number in range(15)]
    assert send("PATCH", KEYS, {"keys": keys})[0] in (200, 201)
    changes = [{"namespace": NAMESPACE, "key": key["key"], "value": ["a"] * 4_000} for key in keys]
    status, answer = send("POST", "/v1/envs/staging/releases", {"changes": changes})
    assert (status, b"send fewer at once" in answer) == (422, True)


def test_wrong_tokens_beside_held_requests(stack: Stack, send: Send, connect: Callable[[], socket]) -> None:
    """Wrong tokens are 401 each; who is held beside them is not forgotten, and hears of the next release."""
    _, answer = send("PUT", f"{CONFIG}/held", {"value": 0, "type": "int"})
    since = json.loads(answer)["cursor"]
    request = f"GET {CONFIG.removesuffix('/config')}/watch?since={since}&timeout=55 HTTP/1.1\r\nHost: x\r\n"
    held = [connect() for _ in range(HELD)]
    for connection in held:
        connection.sendall(f"{request}Authorization: Bearer {stack.tokens['service']}\r\n\r\n".encode())
    with ThreadPoolExecutor(4) as threads:
        wrong = threads.map(lambda number: send("GET", CONFIG, token=f"wrong-{number}")[0], range(WRONG_TOKENS))
        assert set(wrong) == {401}
    assert send("PUT", f"{CONFIG}/held", {"value": 1})[0] == 200
    assert {_first(connection) for connection in held} == {b"HTTP/1.1 200"}
