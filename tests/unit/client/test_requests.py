"""One revision per request: the Flask extension and the two middlewares."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import flask
import pytest

from configclient import asgi, wsgi
from configclient.flask import PinRequests
from configclient.testing import FakeClient


@pytest.fixture
def config() -> FakeClient:
    """`n` is the revision: every push counts it up."""
    return FakeClient({"payments": {"n": 1}})


def push(config: FakeClient) -> None:
    """A release in the middle of a request, from somewhere else."""
    thread = threading.Thread(target=lambda: config.push({"payments": {"n": config.snapshot().revision + 1}}))
    thread.start()
    thread.join()


def n(config: FakeClient) -> int:
    """What the code that calls this reads."""
    return config.get_int("payments", "n")


@pytest.fixture
def app(config: FakeClient) -> flask.Flask:
    """Each part of a request reads before and after a release."""
    app = flask.Flask(__name__)
    app.testing = True
    PinRequests(app, config)

    @app.get("/plain")
    def plain() -> list[int]:
        before = n(config)
        push(config)
        return [before, n(config)]

    @app.get("/raise")
    def fail() -> str:
        flask.g.before = n(config)
        push(config)
        raise LookupError

    @app.errorhandler(LookupError)
    def handle(error: LookupError) -> tuple[list[int], int]:
        return [flask.g.before, n(config)], 500

    @app.get("/stream")
    def stream() -> flask.Response:
        def body(first: int) -> Iterator[str]:
            yield f"{first} "
            for _ in range(2):
                push(config)
                yield f"{n(config)} "

        return flask.Response(body(n(config)))

    @app.get("/crash")
    def crash() -> str:
        raise ZeroDivisionError

    return app


def test_a_view_reads_one_revision(config: FakeClient, app: flask.Flask) -> None:
    """Over a release in its middle; the next request reads the new one, and so does everybody outside at once."""
    client = app.test_client()
    assert client.get("/plain").json == [1, 1]
    assert n(config) == 2
    assert client.get("/plain").json == [2, 2]


def test_an_error_handler_reads_what_the_view_read(config: FakeClient, app: flask.Flask) -> None:
    """It belongs to the request."""
    assert app.test_client().get("/raise").json == [1, 1]
    assert n(config) == 2


def test_a_streamed_body_reads_what_the_view_read(config: FakeClient, app: flask.Flask) -> None:
    """To its last byte, though the code around reads the newest in between, in the same thread."""
    response = app.test_client().get("/stream", buffered=False)
    chunks, around = [], []
    for chunk in response.iter_encoded():
        chunks.append(chunk)
        around.append(n(config))
    assert b"".join(chunks) == b"1 1 1 "
    assert around[-1] == 3


def test_an_exception_ends_the_pin(config: FakeClient, app: flask.Flask) -> None:
    """One that goes through to the server; and a stream that nobody reads to its end or closes."""
    with pytest.raises(ZeroDivisionError):
        app.test_client().get("/crash")
    unread = app.test_client().get("/stream", buffered=False)
    push(config)
    assert n(config) == config.snapshot().revision == 2
    assert config._pins == 0
    unread.close()


def test_requests_side_by_side_are_pinned_each_for_itself(config: FakeClient, app: flask.Flask) -> None:
    """The one that began later reads the later revision, while the earlier one goes on with its own."""
    stream = app.test_client().get("/stream", buffered=False).iter_encoded()
    assert next(stream) == b"1 "
    assert app.test_client().get("/plain").json == [1, 1]
    assert app.test_client().get("/plain").json == [2, 2]
    assert b"".join(stream) == b"1 1 "


def test_any_wsgi_body_is_passed_on(config: FakeClient) -> None:
    """Closed once by the server, pinned too; one without `close` is fine."""
    seen: list[Any] = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b"chunk"

        def close(self) -> None:
            seen.append(n(config))

    def app(environ: Any, start_response: Any) -> Any:
        return Body() if environ["closable"] else [b"a", b"b"]

    pinned = wsgi.PinnedMiddleware(app, config)
    body = pinned({"closable": True}, None)  # type: ignore[arg-type]
    push(config)
    assert list(body) == [b"chunk"]
    body.close()  # type: ignore[attr-defined]
    assert seen == [1]
    body = pinned({"closable": False}, None)  # type: ignore[arg-type]
    assert list(body) == [b"a", b"b"]
    body.close()  # type: ignore[attr-defined]


Message = MutableMapping[str, Any]


def drive(app: Any, type_: str = "http") -> list[Any]:
    """Run one ASGI call by hand; what it sent."""
    sent: list[Any] = []

    async def receive() -> Message:
        return {"type": f"{type_}.request"}

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message["body"])

    asyncio.run(app({"type": type_}, receive, send))
    return sent


def streaming(config: FakeClient) -> Callable[..., Awaitable[None]]:
    """An application that reads, while releases come, in itself and in a task of its own."""

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
        async def child() -> None:
            await send({"body": ("child", n(config))})

        for _ in range(2):
            await receive()
            await send({"body": n(config)})
            await asyncio.to_thread(push, config)
        await asyncio.create_task(child())

    return app


def test_an_asgi_request_reads_one_revision(config: FakeClient) -> None:
    """While it streams, and in the tasks it starts; the next one reads the newest."""
    app = asgi.PinnedMiddleware(streaming(config), config)
    assert drive(app) == [1, 1, ("child", 1)]
    assert drive(app) == [3, 3, ("child", 3)]
    assert n(config) == 5


@pytest.mark.parametrize("type_", ["websocket", "lifespan"])
def test_what_lives_long_is_not_pinned(config: FakeClient, type_: str) -> None:
    """A WebSocket sees every release."""
    assert drive(asgi.PinnedMiddleware(streaming(config), config), type_) == [1, 2, ("child", 3)]


def test_an_asgi_exception_ends_the_pin(config: FakeClient) -> None:
    """And goes on to the server."""

    async def crash(scope: Message, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        drive(asgi.PinnedMiddleware(crash, config))
    assert config._pins == 0


def test_asgi_requests_side_by_side_are_pinned_each_for_itself(config: FakeClient) -> None:
    """In one event loop: the one that began before a release keeps its revision, the one after has the new one."""

    async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[..., Any]) -> None:
        before = n(config)
        await receive()
        await send({"body": (before, n(config))})

    async def main() -> list[Any]:
        sent: list[Any] = []
        released = asyncio.Event()

        async def receive() -> Message:
            await released.wait()
            return {}

        async def send(message: Message) -> None:
            sent.append(message["body"])

        pinned = asgi.PinnedMiddleware(app, config)
        first = asyncio.create_task(pinned({"type": "http"}, receive, send))
        await asyncio.sleep(0)
        await asyncio.to_thread(push, config)
        second = asyncio.create_task(pinned({"type": "http"}, receive, send))
        await asyncio.sleep(0)
        await asyncio.to_thread(push, config)
        released.set()
        await asyncio.gather(first, second)
        return sent

    assert asyncio.run(main()) == [(1, 1), (2, 2)]


def test_a_pin_can_be_carried_to_another_thread(config: FakeClient) -> None:
    """`pinned(at)` goes on with a snapshot taken earlier; another client's is refused."""
    snapshot = config.snapshot()
    push(config)
    with config.pinned(snapshot) as pinned:
        assert (pinned.revision, n(config)) == (1, 1)
    assert n(config) == 2
    with pytest.raises(ValueError, match="snapshot of its own"), FakeClient().pinned(snapshot):
        pass


def test_none_of_it_is_imported_by_the_client() -> None:
    """Flask is there only for those who use it; the middlewares need nothing but the client."""
    program = "import sys, configclient, configclient.wsgi, configclient.asgi; sys.exit('flask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
