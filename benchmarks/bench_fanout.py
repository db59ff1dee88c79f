"""From PUT to the last of thousands of subscribers, one real client among them: against Valkey alone, and etcd.

    floor   a bare PUBLISH of a message of a header's size → the last of all raw subscribers has it
    ours    PUT sent → the last of them has the release's header, and the real client shows the value
    etcd    put sent → the last of as many watchers has it, where the machine has etcd (Debian: etcd-server)

Raw subscribers are sockets of one process that reads bytes and looks for a number: what a machine full of clients costs
the server, without the clients. Each writer and reader takes turns on this machine; all read the same clock.

    python -m benchmarks.bench_fanout [SUBSCRIBERS …]
"""

import base64
import http.client
import json
import re
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from urllib.parse import urlsplit

import redis

from benchmarks.bench_push import FLOOR_CHANNEL, HEADER_CHANNEL, KEYS_PATH, NAMESPACE, Writer, receiver, show
from benchmarks.bench_reads import wait_for
from benchmarks.results import Figure, Kind, note, verdict
from configsvc.dev.ports import free_port
from configsvc.dev.stack import Stack

SUBSCRIBERS = (1_000, 5_000)
#: Of each, in turns, so that what disturbs the machine disturbs both; enough that some waits for the disk make no p99.
CHANGES, ROUNDS = 500, 10
#: Fewer: the last of 5,000 watchers is told after a quarter of a second and more.
PEER_CHANGES = 150
#: Between two changes: all have the one before, and the machine is quiet again.
PAUSE_S = 0.05
TIMEOUT_S = 60.0
REACH = 2.0
#: What a release's header has in it, a bare message of ours, and etcd's event.
NUMBER = re.compile(rb'"revision":([0-9]+),|"value":"([A-Za-z0-9+/=]+)"')
#: A header that nobody else's change makes: heartbeats repeat a number that all have.
MESSAGE_BYTES = 500


def main() -> None:
    """Measure and print."""
    sizes = [int(word) for word in sys.argv[1:]] or SUBSCRIBERS
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data") as stack:
            writer = Writer(stack)
            writer.send("POST", "/v1/namespaces", {"name": NAMESPACE, "description": ""})
            writer.send("POST", KEYS_PATH, {"key": "rate_limit", "type": "int"})
            with redis.Redis.from_url(stack.redis_url) as valkey:
                valkey.config_set("maxclients", 3 * max(sizes))  # those of both, and some
            floors = {}
            for size in sizes:
                floors[size], ours = _in_turns(stack, writer, size)
                _print(size, "Valkey alone", "floor", floors[size], None)
                _print(size, "configsvc", "ours", ours, floors[size])
        for size in sizes:
            if shutil.which("etcd"):
                with etcd(Path(name)) as url:
                    _print(size, "etcd watch", "peer", _peer(url, size), floors[size])
            else:
                print("etcd watch       skipped: the machine has no etcd (apt-get install etcd-server)")


def _in_turns(stack: Stack, writer: Writer, size: int) -> tuple[list[float], list[float]]:
    client = receiver(show, stack.url, stack.tokens["service"])
    with (
        redis.Redis.from_url(stack.redis_url) as publisher,
        _subscribers(stack.redis_url, FLOOR_CHANNEL, size) as bare,
        _subscribers(stack.redis_url, HEADER_CHANNEL, size) as all_,
        client as shown,
    ):

        def publish(number: int) -> int:
            text = json.dumps({"revision": number, "padding": "x" * MESSAGE_BYTES}, separators=(",", ":"))
            publisher.publish(FLOOR_CHANNEL, text)
            return number

        floor: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            floor += _times(publish, [bare], CHANGES // ROUNDS, len(floor))
            ours += _times(lambda _: writer.put("rate_limit"), [all_, shown], CHANGES // ROUNDS)
    return floor, ours


def _peer(url: str, size: int) -> list[float]:
    place = urlsplit(url)
    with receiver(_watch, (str(place.hostname), int(place.port or 0)), size) as all_:
        connection = http.client.HTTPConnection(place.netloc, timeout=TIMEOUT_S)

        def put(number: int) -> int:
            body = {"key": _base64("setting"), "value": _base64(str(number))}
            connection.request("POST", "/v3/kv/put", json.dumps(body))
            connection.getresponse().read()
            return number

        return _times(put, [all_], PEER_CHANGES)


def _times(change: Callable[[int], int], receivers: list[Pipe], count: int, after: int = 0) -> list[float]:
    """Change so many times, with numbers after the last one's; return how long each took to reach the last of all."""
    times = []
    for number in range(after + 1, after + count + 1):
        time.sleep(PAUSE_S)
        sent = time.monotonic_ns()
        wanted = change(number)
        times.append((max(_received(each, wanted) for each in receivers) - sent) / 1e6)
    return times


def _received(pipe: Pipe, number: int) -> int:
    while pipe.poll(TIMEOUT_S):
        seen, when = pipe.recv()
        if seen >= number:
            return int(when)
    raise SystemExit(f"number {number} did not reach everybody in {TIMEOUT_S:.0f} s")


def _print(size: int, name: str, kind: Kind, times: list[float], floor: list[float] | None) -> None:
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    line = f"{name:<14} {size:>6,} subscribers: the last after p50 {p50:6.1f} ms, p99 {p99:6.1f} ms"
    ratio = met = None
    if floor:
        ratio = p99 / statistics.quantiles(floor, n=100)[98]
        line += f"   {ratio:.2f} x Valkey alone"
    if kind == "ours" and ratio:
        met = ratio <= REACH
        line += f" (target {REACH:.0f}: {verdict(met)})"
    print(line, flush=True)
    reach = f"≤ {REACH:.0f}" if kind == "ours" else ""
    plot = f"A change reaches the last of {size:,} subscribers, p99"
    note(Figure(plot, name, p99, "ms", kind, ratio, reach, met))


@contextmanager
def _subscribers(redis_url: str, channel: str, size: int) -> Iterator[Pipe]:
    with receiver(_subscribe, redis_url, channel, size) as pipe:
        yield pipe


def _subscribe(pipe: Pipe, redis_url: str, channel: str, size: int) -> None:
    place = urlsplit(redis_url)
    login = f"AUTH {place.username or 'default'} {place.password}\r\n" if place.password else ""
    request = f"{login}SUBSCRIBE {channel}\r\n".encode()
    _follow(pipe, (str(place.hostname), int(place.port or 6379)), size, request, b":1\r\n")


def _watch(pipe: Pipe, address: tuple[str, int], size: int) -> None:
    body = json.dumps({"create_request": {"key": _base64("setting")}})
    head = (
        f"POST /v3/watch HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    _follow(pipe, address, size, f"{head}\r\n{body}".encode(), b'"created":true')


def _follow(pipe: Pipe, address: tuple[str, int], size: int, request: bytes, ready: bytes) -> None:
    """Hold so many connections, and tell when all have read a number."""
    with selectors.DefaultSelector() as selector:
        for _ in range(size):
            connection = socket.create_connection(address, TIMEOUT_S)
            connection.sendall(request)
            answer = b""
            while ready not in answer:
                answer += connection.recv(4096)
            selector.register(connection, selectors.EVENT_READ, connection)
        pipe.send("ready")
        have: dict[int, int] = {}
        newest = 0
        while True:
            for key, _ in selector.select():
                for revision, value in NUMBER.findall(key.data.recv(65536)):
                    number = int(revision or base64.b64decode(value))
                    if number > newest:
                        have[number] = have.get(number, 0) + 1
                        if have[number] == size:
                            pipe.send((number, time.monotonic_ns()))
                            newest = number


@contextmanager
def etcd(folder: Path) -> Iterator[str]:
    """Run etcd in a folder; its address."""
    port = free_port()
    clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}"
    command = ["etcd", "--data-dir", str(folder / "etcd"), "--logger", "zap", "--log-level", "error"]
    command += ["--listen-client-urls", clients, "--advertise-client-urls", clients, "--listen-peer-urls", peers]
    command += ["--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}"]
    with subprocess.Popen(command) as process:
        try:
            wait_for(port, "/health")
            yield clients
        finally:
            process.terminate()
    shutil.rmtree(folder / "etcd")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


if __name__ == "__main__":
    main()
