"""A door between one client and the service: opens, or answers in the service's place as badly as services do."""

import contextlib
import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_TIMEOUT_S = 20.0

Answer = Callable[["_Handler", bytes], None]
"""Writes a bad answer; is given the good one's body."""


class Door:
    """Passes POST requests on to the service at ``url``, or answers by ``instead`` while that is set."""

    def __init__(self, url: str) -> None:
        self.target = url.removeprefix("http://")
        self.instead: Answer | None = None
        #: How many requests have come in.
        self.requests = 0
        #: Ends what is answered slowly.
        self.opened = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.door = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def shut(self, instead: Answer) -> None:
        """From now on, answer this."""
        self.opened.clear()
        self.instead = instead

    def open(self) -> None:
        """Let through again, and end what is answered slowly."""
        self.instead = None
        self.opened.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.opened.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    door: Door

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is none."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Pass it on, or not."""
        door = self.server.door
        door.requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        connection = http.client.HTTPConnection(door.target, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", self.path, body, dict(self.headers))
            response = connection.getresponse()
            status, kind, content = response.status, response.headers["Content-Type"], response.read()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
            return
        finally:
            connection.close()
        # Asked only now: a request that the service held meets what is so at its end.
        with contextlib.suppress(OSError):
            if door.instead is not None:
                door.instead(self, content)
            else:
                self.answer(status, content, kind)

    def answer(
        self, status: int, content: bytes, kind: str, *, length: int | None = None, retry_after: str = ""
    ) -> None:
        """Write a whole answer, or one that says another length."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def status(number: int, retry_after: str = "") -> Answer:
    """A problem document, as the service makes them."""
    document = b'{"type": "about:blank", "title": "no", "status": %d, "code": "test", "detail": "no"}' % number
    return lambda handler, _: handler.answer(number, document, "application/problem+json", retry_after=retry_after)


def html(handler: _Handler, content: bytes) -> None:
    """What a proxy says on its own, with 200."""
    handler.answer(200, b"<html><body>Please log in</body></html>", "text/html")


def half(handler: _Handler, content: bytes) -> None:
    """A body that ends in the middle."""
    handler.close_connection = True
    handler.answer(200, content[: len(content) // 2], "application/json", length=len(content))


def half_said_to_be_whole(handler: _Handler, content: bytes) -> None:
    """The same, and nothing but its JSON tells."""
    handler.answer(200, content[: len(content) // 2], "application/json")


def other_shape(handler: _Handler, content: bytes) -> None:
    """JSON of something else."""
    handler.answer(200, b'{"kind": "full", "values": [], "revision": "many"}', "application/json")


def slow(handler: _Handler, content: bytes) -> None:
    """A byte now and then, until the door is opened."""
    handler.answer(200, b"", "application/json", length=len(content))
    for position in range(len(content)):
        handler.wfile.write(content[position : position + 1])
        handler.server.door.opened.wait(0.5)


def late(handler: _Handler, content: bytes) -> None:
    """The good answer, when the door is opened: old by then."""
    handler.server.door.opened.wait(_TIMEOUT_S)
    handler.answer(200, content, "application/json")


def never(handler: _Handler, content: bytes) -> None:
    """No answer at all, until the door is opened."""
    handler.server.door.opened.wait(_TIMEOUT_S)
    handler.close_connection = True
