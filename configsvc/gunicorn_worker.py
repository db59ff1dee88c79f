"""gunicorn's gevent worker, with bounds on how long a connection may keep it waiting, or busy.

gunicorn's own waits for headers as long as for the next request, and for a body for ever; and what is left of a body
that was refused it reads without a pause, so that a sender at full speed has the worker killed as stuck. Nothing here
is a timer: each read is told how long it may wait, so a held request costs nothing more.

Imports nothing of ours but the outlet, as ``gunicorn_conf.py``.
"""

import socket
import time
from contextlib import suppress
from typing import Any

import gevent
from gunicorn import util
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.parser import Parser
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.ggevent import GeventWorker

from configsvc.gunicorn_outlet import OPEN_MAX, Outlet

#: From the first byte of a request to the end of its headers, which are one packet or two. Before it, ``keepalive``.
HEADERS_TIMEOUT_S = 10.0
#: From the end of the headers to the end of the body: 1 MiB, the most that is taken, over a line of 300 kbit/s.
BODY_TIMEOUT_S = 30.0
#: With the heads of its chunks; what is longer has chunks of a few bytes, a microsecond each, or long extensions.
BODY_WIRE_BYTES_MAX = 2 * 1024 * 1024
#: What may be left of a body for its connection to be used again: of a call that was refused before it was read.
LEFT_BYTES_MAX = 64 * 1024
#: Else the connection is closed, which would take the answer from who still sends: as much is read before, as long.
LINGER_BYTES_MAX = 16 * 1024 * 1024
LINGER_S = 2.0

#: Read at once of what nobody looks at.
_AT_ONCE_BYTES = 64 * 1024


class Worker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves HTTP/1.1 without TLS, which is a proxy's.

    Asked to end, it has the app answer what is held, closes connections on which nothing is asked, and each other one
    after its answer. gunicorn's own would wait for them all, in vain, and then cut them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: set[Any] = set()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to end: SIGTERM has come."""
        super().handle_exit(sig, frame)
        _Request.last = True
        gevent.spawn(self._let_go)  # a signal's handler must not wait

    def _let_go(self) -> None:
        for end in self.wsgi.extensions.get("configsvc.end", ()):
            end()
        for client in tuple(self._idle):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RD)  # whoever reads it reads its end

    def handle_request(self, listener_name: Any, req: Any, sock: "_Joining", addr: Any) -> None:
        """Serve one request."""
        try:
            super().handle_request(listener_name, req, sock, addr)
        finally:
            sock.flush()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve the requests of one connection."""
        parser, request, refused = _Parser(self.cfg, client, addr), None, False
        connection = _Joining(client)
        try:
            name = listener.getsockname()
            while not connection.taken:
                request = None
                self._idle.add(client)
                request = next(parser)
                self._idle.discard(client)
                self.handle_request(name, request, connection, addr)
        except (StopIteration, NoMoreData, TimeoutError, BrokenPipeError, ConnectionResetError) as error:
            self.log.debug("closing a connection: %s", type(error).__name__)
            refused = request is not None and request.body.reader.left > 0
        except OSError:
            self.log.exception("Socket error processing request.")
        except Exception as error:  # noqa: BLE001  # gunicorn's place for what is no request, and for bugs
            self.handle_error(request, client, addr, error)
            refused = True
        finally:
            self._idle.discard(client)
            if refused:
                _linger(client)
            util.close(client)


class _Joining:
    """A socket that keeps the head of an answer of known length until its body comes, and may be taken over.

    Both go out together: one call in place of two, and whoever reads them is woken once.
    """

    __slots__ = ("_chunked", "_head", "_sock", "taken")

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._head = b""
        self._chunked = False
        #: Whether it is somebody else's now: what its request still sends goes nowhere.
        self.taken = False

    def take_over(self) -> Outlet | None:
        """Take the connection from its request, in the middle of an answer of untold length; None: it has to stay."""
        if Outlet.open_count >= OPEN_MAX:
            return None
        self.taken = True
        return Outlet(self._sock.detach(), chunked=self._chunked)

    def sendall(self, data: bytes) -> None:
        if self.taken:
            return
        if data.startswith(b"HTTP/1."):
            self._chunked = b"\r\nTransfer-Encoding: chunked" in data
            if b"\r\nContent-Length: " in data:
                self._head = data
                return
        head, self._head = self._head, b""
        sent = self._sock.sendmsg((head, data)) if head else 0
        # What is left, without a copy: who reads slowly shares a large body with all others.
        if sent < len(head):
            self._sock.sendall(head[sent:])
        if sent < len(head) + len(data):
            self._sock.sendall(memoryview(data)[max(0, sent - len(head)) :])

    def flush(self) -> None:
        """Send a head that has no body."""
        head, self._head = self._head, b""
        if head:
            self._sock.sendall(head)

    def sendfile(self, *args: Any, **options: Any) -> Any:
        self.flush()
        return self._sock.sendfile(*args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _Parser(Parser):  # type: ignore[misc]
    def __init__(self, cfg: Any, client: Any, addr: Any) -> None:
        super().__init__(cfg, client, addr)
        self.mesg_class = _Request
        self.unreader = _Unreader(client)


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Reads a connection until a deadline, with a turn for the others before each read, and each request without one.

    Who always has sent more when we look would starve them: with the next request, or with a thousand chunks at once.
    """

    _deadline: float
    _then_s: float | None
    _left_bytes: float

    def expect(self, within_s: float, then_s: float | None = None, bytes_max: float = float("inf")) -> None:
        """Begin a time to read in, so much at most; ``then_s``: a new one begins with what is read first."""
        self._deadline, self._then_s, self._left_bytes = time.monotonic() + within_s, then_s, bytes_max

    def expect_request(self, keepalive_s: float) -> None:
        """Begin the time of a request's head, which may wait so long for its first byte; with a turn for the others.

        What has come of it with the request before needs no read, and no wait.
        """
        if self.buf.tell():
            self.expect(HEADERS_TIMEOUT_S)
            # There is room for an answer, as a rule. `sleep(0)` would come back before gevent looks for others' bytes.
            self.sock._wait(self.sock._write_event)
        else:
            self.expect(keepalive_s, then_s=HEADERS_TIMEOUT_S)

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return what has come, or comes in time; TimeoutError after it, OSError where it is too much."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        self.sock.settimeout(left_s)
        try:
            # As gevent waits after an attempt in vain, but whether or not something is there.
            self.sock._wait(self.sock._read_event)
            data: bytes = super().chunk(size_hint)
        finally:
            self.sock.settimeout(None)  # of answers, too
        if self._then_s is not None:
            self.expect(self._then_s)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise OSError("too many bytes for what they say")
        return data


class _Request(Request):  # type: ignore[misc]
    #: Whether none can follow, because the worker ends.
    last = False

    def __init__(self, cfg: Any, unreader: _Unreader, peer: Any, number: int = 1) -> None:
        unreader.expect_request(cfg.keepalive)
        super().__init__(cfg, unreader, peer, number)

    def set_body_reader(self) -> None:
        super().set_body_reader()
        self.unreader.expect(BODY_TIMEOUT_S, bytes_max=BODY_WIRE_BYTES_MAX)
        self.body.reader = _BodyReader(self.body.reader)

    def should_close(self) -> bool:
        """Tell that no request can follow: the answer's head says so, too."""
        return bool(self.last or self.body.failed or self.body.reader.left > LEFT_BYTES_MAX or super().should_close())


class _BodyReader:
    """Reads a body; knows how much is left of it, and what is wrong with it is an error of its connection."""

    __slots__ = ("_ended", "_reader")  # a held request keeps it

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._ended = False

    @property
    def left(self) -> float:
        """Bytes that the app has not asked for; of a length that nobody has told, infinite."""
        return 0 if self._ended else getattr(self._reader, "length", float("inf"))

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._reader.read(size)
        except ParseException as error:
            raise OSError("the body is malformed") from error  # by which werkzeug knows that it can't be read
        self._ended = not data
        return data


def _linger(client: Any) -> None:
    """End our side, and read on for a while: to close now would take back what the other side has not read yet."""
    deadline, left = time.monotonic() + LINGER_S, LINGER_BYTES_MAX
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while left > 0 and (left_s := deadline - time.monotonic()) > 0:
            client.settimeout(left_s)
            data = client.recv(_AT_ONCE_BYTES)
            if not data:
                break
            left -= len(data)
            gevent.sleep(0)
