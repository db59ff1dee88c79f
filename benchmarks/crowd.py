"""Thousands of clients that long-poll, in one process and one thread: raw sockets, requests made of ready bytes.

Each asks again when it is answered, as the SDK does while push is down. A request costs some 30 µs here, so the crowd
is never what is slow.
"""

import json
import multiprocessing
import re
import selectors
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from benchmarks.load import READ_BYTES

HOLD_S = 5
#: They come as spread as their holds: that many every 20 ms, so that 5,000 do in one hold's time.
CONNECT_BATCH = 20
CONNECT_PAUSE_S = 0.02
TIMEOUT_S = 60.0
_CURSOR = re.compile(rb'"cursor":\s*"(([0-9]+)\.[0-9a-f]+)"')


@dataclass(frozen=True)
class Wanted:
    """What the crowd asks, and whom. ``have`` and ``view`` as a first sync gave them."""

    address: tuple[str, int]
    token: str
    env: str
    namespaces: tuple[str, ...]
    have: str
    view: str

    def request(self, number: int, have: bytes) -> bytes:
        """Make one client's request."""
        client = {"id": f"crowd-{number}", "service": "crowd", "host": "bench", "pid": number, "transport": "longpoll"}
        body = {"client": client, "env": self.env, "namespaces": self.namespaces, "have": have.decode()}
        data = json.dumps(body | {"view": self.view, "wait_s": HOLD_S}).encode()
        head = f"POST /v1/sync HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


@dataclass(frozen=True)
class Woken:
    """How a release reached everybody: when (monotonic ns) the first, the median and the last were answered."""

    revision: int
    first_ns: int
    median_ns: int
    last_ns: int


class Crowd:
    """Speaks to the process of the clients."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def next(self, revision: int) -> Woken:
        """Wait until every client was answered with a revision."""
        if not self._pipe.poll(TIMEOUT_S):
            raise SystemExit(f"revision {revision} did not reach everybody in {TIMEOUT_S:.0f} s")
        woken = self._pipe.recv()
        if not isinstance(woken, Woken) or woken.revision != revision:
            raise SystemExit(f"the crowd says {woken!r} and not revision {revision}")
        return woken


@contextmanager
def crowd(wanted: Wanted, size: int) -> Iterator[Crowd]:
    """Let so many clients poll; begins when all have asked."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(theirs, wanted, size), daemon=True)
    process.start()
    try:
        if not ours.poll(TIMEOUT_S):
            raise SystemExit(f"{size} clients did not connect in {TIMEOUT_S:.0f} s")
        if (said := ours.recv()) != "asked":
            raise SystemExit(str(said))
        yield Crowd(ours)
    finally:
        process.terminate()
        process.join()


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def memory_kib(pid: int) -> int:
    """What a process holds of the machine's memory, its part of what it shares included."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise SystemExit("no Pss")


class _Client:
    def __init__(self, wanted: Wanted, number: int) -> None:
        self.socket = socket.create_connection(wanted.address, TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.revision = int(wanted.have.partition(".")[0])
        self._wanted = wanted
        self._number = number
        self._have = wanted.have.encode()
        self._request = wanted.request(number, self._have)
        self._buffer = b""

    def ask(self) -> None:
        self.socket.sendall(self._request)

    def answered(self) -> bool:
        """Read what is there; tell whether the answer is complete and brings another revision."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise SystemExit("the service hung up on a client")
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
            return False
        if b" 200 " not in head[:20]:
            raise SystemExit(f"a client was answered {self._buffer[:400]!r}")
        match = _CURSOR.search(body)
        assert match is not None, body
        self._buffer = b""
        moved = match[1] != self._have
        if moved:
            self._have, self.revision = match[1], int(match[2])
            self._request = self._wanted.request(self._number, self._have)
        self.ask()
        return moved


def _run(pipe: Pipe, wanted: Wanted, size: int) -> None:
    try:
        _poll(pipe, wanted, size)
    except SystemExit as error:
        pipe.send(str(error))


def _poll(pipe: Pipe, wanted: Wanted, size: int) -> None:
    answered_ns: dict[int, list[int]] = {}
    with selectors.DefaultSelector() as selector:
        for number in range(size):
            client = _Client(wanted, number)
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.ask()
            if number % CONNECT_BATCH == 0:
                _serve(selector, pipe, size, answered_ns, time.monotonic() + CONNECT_PAUSE_S)
        pipe.send("asked")
        _serve(selector, pipe, size, answered_ns, float("inf"))


def _serve(selector: Any, pipe: Pipe, size: int, answered_ns: dict[int, list[int]], until: float) -> None:
    while (left_s := until - time.monotonic()) > 0:
        for key, _ in selector.select(min(left_s, TIMEOUT_S)):
            if not key.data.answered():
                continue
            revision = key.data.revision
            times = answered_ns.setdefault(revision, [])
            times.append(time.monotonic_ns())
            if len(times) == size:
                pipe.send(Woken(revision, times[0], int(statistics.median(times)), times[-1]))
