"""What stands before several configsvc: takes each connection to the next one that answers. No HTTP."""

import contextlib
import socket
import socketserver
import threading
from types import TracebackType
from typing import Self

_CONNECT_TIMEOUT_S = 1.0
_CHUNK_BYTES = 65536


class Balancer:
    """Listens on a port of its own. ``take_out`` and ``put_in`` are what an operator does around a restart."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = list(ports)
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.balancer = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take_out(self, port: int) -> None:
        """No new connection goes there."""
        self._ports.remove(port)

    def put_in(self, port: int) -> None:
        """It takes part again."""
        self._ports.append(port)

    def connect(self) -> socket.socket:
        """Connect to the one whose turn it is, or to the next one that answers."""
        for _ in range(len(self._ports)):
            self._ports.append(self._ports.pop(0))
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self._ports[-1]), _CONNECT_TIMEOUT_S)
        raise ConnectionRefusedError("no configsvc answers")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    balancer: Balancer

    def handle_error(self, request: object, client_address: object) -> None:
        """Either side may go away at any time."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        with self.server.balancer.connect() as upstream:
            upstream.settimeout(None)
            back = threading.Thread(target=_pass_on, args=(upstream, self.request), daemon=True)
            back.start()
            _pass_on(self.request, upstream)
            back.join()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
