"""A load generator that costs little beside what it measures: one thread, raw sockets, requests made of ready bytes."""

import selectors
import socket
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

#: One read takes a whole answer of a usual size.
READ_BYTES = 256 * 1024
#: A server that takes longer is broken, not slow.
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Request:
    """What is asked, as bytes, and the status that is right."""

    address: tuple[str, int]
    data: bytes = field(repr=False)
    status: int

    @classmethod
    def of(cls, url: str, method: str, path: str, status: int, body: bytes = b"", **headers: str) -> "Request":
        """Make one; ``_`` in a header's name stands for a hyphen."""
        address = urlsplit(url)
        lines = [f"{method} {path} HTTP/1.1", f"Host: {address.netloc}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        return cls((str(address.hostname), int(address.port or 80)), data, status)


@dataclass(frozen=True)
class Measured:
    """What came of a turn: answers per second, and each answer's time in ms."""

    rate: float
    latencies_ms: list[float] = field(repr=False)


class _Connection:
    def __init__(self, request: Request) -> None:
        self.socket = socket.create_connection(request.address, TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._buffer = bytearray()
        self._missing: int | None = None

    def send(self) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(self._request.data)

    def answered(self) -> bool:
        """Read what is there; tell whether the answer is complete."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise SystemExit("the server hung up")
        self._buffer += data
        if self._missing is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._missing = end + 4 + self._length(bytes(self._buffer[:end]))
        if len(self._buffer) < self._missing:
            return False
        self._buffer.clear()
        self._missing = None
        return True

    def _length(self, head: bytes) -> int:
        if int(head[9:12]) != self._request.status:
            raise SystemExit(f"{self._request.data[:80]!r} was answered {head[:400]!r}")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return 0 if self._request.status == 304 else int(line[15:])
        return 0


def measure(request: Request, connections: int, seconds: float) -> Measured:
    """Send the request on so many connections, each time when its answer is here, for so long."""
    latencies_ms = []
    with selectors.DefaultSelector() as selector:
        open_ = [_Connection(request) for _ in range(connections)]
        for connection in open_:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send()
        begin = time.perf_counter()
        end = begin + seconds
        while (now := time.perf_counter()) < end:
            ready = selector.select(TIMEOUT_S)
            if not ready:
                raise SystemExit(f"no answer in {TIMEOUT_S:.0f} s")
            for key, _ in ready:
                if key.data.answered():
                    latencies_ms.append((time.perf_counter() - key.data.sent_at) * 1e3)
                    key.data.send()
        for connection in open_:
            connection.socket.close()
    return Measured(len(latencies_ms) / (now - begin), latencies_ms)
