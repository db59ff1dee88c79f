"""A connection that has left its request, and with it the greenlet and stack that serve one: half a KiB is left of 20.

Whoever has thousands of them sends to each in turn, so sending never waits for a reader. What one does not take at once
is kept, within bounds, and sent by a greenlet that lives as long as that takes.

Imports nothing of ours, as ``gunicorn_worker.py``.
"""

import _socket
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

import gevent
from gevent.socket import wait_write

#: As many as a worker has places for requests; each is a file descriptor.
OPEN_MAX = 12_000
#: One thing may be of any size; no other is kept beside it once so much has not been taken.
UNSENT_BYTES_MAX = 1024 * 1024
#: Whoever takes nothing for so long is gone, or as good as: who follows comes back by itself, to where it was.
STALLED_S = 30.0
#: The most parts that the system takes in one call is 1,024 (IOV_MAX); this is fewer, and not worth another call.
_PARTS_AT_ONCE = 64


class Outlet:
    """Sends, in chunks where the answer's head has said so, and closes. Never waits."""

    __slots__ = ("_chunked", "_closing", "_sock", "_unsent")

    open_count: ClassVar[int] = 0

    def __init__(self, fileno: int, *, chunked: bool) -> None:
        """``fileno``: of the connection, which is this one's to close."""
        # gevent's socket would keep two watchers of its loop for as long.
        self._sock: _socket.socket | None = _socket.socket(fileno=fileno)
        self._sock.setblocking(False)
        with suppress(OSError):  # not a TCP connection
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(STALLED_S * 1000))
        self._chunked = chunked
        self._closing = False
        self._unsent: list[memoryview] = []
        Outlet.open_count += 1

    def send(self, data: bytes) -> bool:
        """Send something, now or as soon as it is taken. False: the other side is gone, or takes too little."""
        if self._closing:
            return False
        if sum(map(len, self._unsent)) > UNSENT_BYTES_MAX:
            self._cut()
            return False
        return self._send((b"%x\r\n" % len(data), data, b"\r\n") if self._chunked else (data,))

    def close(self) -> None:
        """Say that this was all, and close when it has been taken."""
        if self._closing:
            return
        self._closing = True
        if self._chunked:
            self._send((b"0\r\n\r\n",))
        if not self._unsent:
            self._end()

    def _send(self, parts: Sequence[bytes]) -> bool:
        if self._sock is None:
            return False
        if self._unsent:
            self._unsent += map(memoryview, parts)
            return True
        sent = self._try(parts)
        if sent is None:
            self._end()
            return False
        if sent < sum(map(len, parts)):
            self._unsent = _after(sent, map(memoryview, parts))
            gevent.spawn(self._send_rest, self._sock)
        return True

    def _cut(self) -> None:
        self._closing = True
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)  # by which the greenlet that waits for it ends

    def _send_rest(self, sock: _socket.socket) -> None:
        sent: int | None = 0
        while self._unsent and sent is not None:
            try:
                wait_write(sock.fileno(), STALLED_S, TimeoutError())
            except TimeoutError:
                break
            sent = self._try(self._unsent[:_PARTS_AT_ONCE])
            self._unsent = _after(sent or 0, self._unsent)
        if self._unsent or self._closing:
            self._end()

    def _try(self, parts: Sequence[bytes | memoryview]) -> int | None:
        """Return how many bytes are taken now; None if the connection is over."""
        if self._sock is None:
            return None
        try:
            return self._sock.sendmsg(parts)
        except BlockingIOError:
            return 0
        except OSError:
            return None

    def _end(self) -> None:
        self._closing = True
        self._unsent = []
        if self._sock is not None:
            self._sock.close()
            self._sock = None
            Outlet.open_count -= 1


def _after(sent: int, parts: "Sequence[memoryview] | map[memoryview]") -> list[memoryview]:
    """Return what is left of parts of which so many bytes are sent."""
    left = []
    for part in parts:
        if sent < len(part):
            left.append(part[sent:])
        sent = max(0, sent - len(part))
    return left
