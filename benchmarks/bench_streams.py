"""10,000 streams of server-sent events held by one worker: what one costs in memory, and how fast a release wakes all.

floor   a Flask generator in the same gunicorn: waits on one event, sends as many bytes, checks nothing
stream  GET S/stream

python -m benchmarks.bench_streams [--held 10000]
"""

import multiprocessing
import re
import selectors
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response

from benchmarks.bench_held import ENV, NAMESPACE
from benchmarks.bench_reads import gunicorn, send
from benchmarks.crowd import children, memory_kib
from benchmarks.load import READ_BYTES
from benchmarks.results import Figure, Kind, note, verdict
from configsvc.dev.stack import Stack

HELD, RELEASES, PAUSE_S = 10_000, 5, 5.0
TIMEOUT_S = 60.0
CONNECT_BATCH, CONNECT_PAUSE_S = 20, 0.02
MEMORY_KIB_MAX, WOKEN_S_MAX = 20.0, 1.0
_ID = re.compile(rb"id: ([0-9]+)\.")


def create_floor() -> Flask:
    """The floor: what nobody can leave out."""
    app = Flask(__name__)
    moved, revision = threading.Event(), 0

    @app.get("/stream")
    def stream() -> Response:
        def events() -> Iterator[str]:
            while True:
                yield f"id: {revision}.0123456789abcdef\ndata: {'x' * 150}\n\n"
                moved.wait()

        return Response(events(), mimetype="text/event-stream")

    @app.post("/release")
    def release() -> Response:
        nonlocal moved, revision
        before, moved, revision = moved, threading.Event(), revision + 1
        before.set()
        return Response(str(revision))

    return app


def main() -> None:
    """Measure and print."""
    held = int(sys.argv[2]) if sys.argv[1:2] == ["--held"] else HELD
    with gunicorn("benchmarks.bench_streams:create_floor()", "/nowhere", {}) as (url, master):
        _measure("floor", master, url, "/stream", "", held, lambda _: _release(url))
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data", workers=1) as stack:
            send(stack, "admin", "POST", "/v1/namespaces", {"name": NAMESPACE})
            scope = f"/v1/namespaces/{NAMESPACE}/envs/{ENV}"

            def release(value: int) -> int:
                body = {"value": value, "type": "int"}
                send(stack, "ops", "PUT", f"{scope}/config/rate", body)
                return 0

            release(0)
            web = stack.part("web").pid or 0
            _measure("stream", web, stack.url, f"{scope}/stream", stack.tokens["viewer"], held, release)


def _release(url: str) -> int:
    place = urlsplit(url)
    with socket.create_connection((str(place.hostname), int(place.port or 80)), TIMEOUT_S) as connection:
        connection.sendall(b"POST /release HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        return int(connection.recv(READ_BYTES).rpartition(b"\r\n")[2] or 0)


def _measure(name: str, master: int, url: str, path: str, token: str, held: int, release: Callable[[int], int]) -> None:
    [worker] = children(master)
    before = memory_kib(worker)
    with _crowd(url, path, token, held) as clients:
        each_kib = (memory_kib(worker) - before) / held
        last_s = []
        for value in range(1, RELEASES + 1):
            release(value)
            answered_ns = time.monotonic_ns()
            if not clients.poll(TIMEOUT_S):
                raise SystemExit("a release did not reach everybody")
            last_s.append((clients.recv() - answered_ns) / 1e9)
            time.sleep(PAUSE_S)
        after_kib = (memory_kib(worker) - before) / held
    worst = max(last_s)
    ours = name == "stream"
    print(f"{name:<7} memory of one: {each_kib:.1f} KiB, {after_kib:.1f} after {RELEASES} releases")
    print(
        f"{name:<7} from the release's answer to the last of {held:,}: {statistics.median(last_s):.2f} s, at worst"
        f" {worst:.2f} s" + (f"   (target {WOKEN_S_MAX:.0f}: {verdict(worst <= WOKEN_S_MAX)})" if ours else ""),
        flush=True,
    )
    kind: Kind = "ours" if ours else "floor"
    met_s, met_kib = (worst <= WOKEN_S_MAX, after_kib <= MEMORY_KIB_MAX) if ours else (None, None)
    reach_s, reach_kib = (f"≤ {WOKEN_S_MAX:.0f} s", f"≤ {MEMORY_KIB_MAX:.0f} KiB") if ours else ("", "")
    plot = f"A release wakes {held:,} streams of one worker, the last"
    note(Figure(plot, name, worst, "s", kind, None, reach_s, met_s))
    note(Figure("Memory of one held stream", name, after_kib, "KiB", kind, None, reach_kib, met_kib))


@contextmanager
def _crowd(url: str, path: str, token: str, size: int) -> Iterator[Pipe]:
    """Hold so many streams in a process of its own, which tells when the last of them has heard of a release."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_follow, args=(theirs, url, path, token, size), daemon=True)
    process.start()
    try:
        if not ours.poll(TIMEOUT_S * 3) or ours.recv() != "ready":
            raise SystemExit("the streams did not begin")
        yield ours
    finally:
        process.terminate()
        process.join()


def _follow(pipe: Pipe, url: str, path: str, token: str, size: int) -> None:
    place = urlsplit(url)
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    heard: dict[int, int] = {}
    began = False
    with selectors.DefaultSelector() as selector:

        def listen(until: float) -> None:
            nonlocal began
            while (left_s := until - time.monotonic()) > 0 and not (began is False and sum(heard.values()) >= size):
                for key, _ in selector.select(min(left_s, 1.0)):
                    data = key.data.recv(READ_BYTES)
                    if not data:
                        raise SystemExit("the service hung up on a stream")
                    for revision in map(int, _ID.findall(data)):
                        heard[revision] = heard.get(revision, 0) + 1
                        if began and heard[revision] == size:
                            pipe.send(time.monotonic_ns())

        for number in range(size):
            connection = socket.create_connection((str(place.hostname), int(place.port or 80)), TIMEOUT_S)
            connection.sendall(request)
            selector.register(connection, selectors.EVENT_READ, connection)
            if number % CONNECT_BATCH == 0:
                listen(time.monotonic() + CONNECT_PAUSE_S)
        listen(time.monotonic() + TIMEOUT_S * 2)
        began = True
        pipe.send("ready")
        listen(float("inf"))


if __name__ == "__main__":
    main()
