"""A front before a server: lets bytes through, shuts, or freezes, for connections that are open, too."""

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Literal, Self

_TIMEOUT_S = 30.0


class Front:
    """Stands on a port of its own before ``(host, port)``. ``state`` can be changed at any time."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.state: Literal["open", "shut", "frozen"] = "open"
        self.ended = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.front = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    front: Front


class _Handler(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Carry what the client says, piece by piece, as the front's state allows."""
        front = self.server.front
        with contextlib.suppress(OSError), socket.create_connection(front.target, _TIMEOUT_S) as upstream:
            threading.Thread(target=self._answer, args=(upstream,), daemon=True).start()
            while piece := self.request.recv(65536):
                if front.state == "frozen":
                    front.ended.wait(_TIMEOUT_S)
                if front.state != "open":
                    return
                upstream.sendall(piece)

    def _answer(self, upstream: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := upstream.recv(65536):
                self.request.sendall(piece)
            self.request.shutdown(socket.SHUT_WR)
