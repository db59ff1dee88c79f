"""From PUT to the value in a running application: the whole way, its parts, and the floor that Redis alone sets.

One writer, one change at a time, on a whole stack (Postgres with fsync, Valkey, two web workers, the relay) on this
machine. Whoever receives is a process of its own; all of them read the same clock. In turns, so that a busy neighbour
spoils all figures alike:

    floor      a bare PUBLISH of a message of a header's size → received on a bare subscription
    answer     PUT sent → its answer is here (the commit is on disk)
    published  PUT sent → the release's header received on a bare subscription
    visible    PUT sent → the value is readable in a connected ConfigClient
    secret     the same of a secret, which no push carries: clients sync, spread over half a second

    python -m benchmarks.bench_push [--changes 200]
"""

import http.client
import itertools
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import redis

from benchmarks.results import Figure, note, verdict
from configclient import ConfigClient
from configsvc.dev.stack import Stack

ROUNDS = 4
TARGET_P50_MS, TARGET_P99_MS = 10.0, 50.0
TARGET_SECRET_MAX_MS = 1000.0
#: Of all changes, as each takes a while.
SECRET_PART = 4
#: Between two changes: more than one takes, so that they don't queue, and no divisor of the heartbeats' second.
PAUSE_S = 0.013
TIMEOUT_S = 10.0
PLOT = "From PUT to one client, p99"
ENV, NAMESPACE = "development", "bench"
FLOOR_CHANNEL = "bench:floor"
HEADER_CHANNEL = f"config:releases:{ENV}"
KEYS_PATH = f"/v1/namespaces/{NAMESPACE}/keys"
CONFIG_PATH = f"/v1/namespaces/{NAMESPACE}/envs/{ENV}/config"


class Writer:
    """Sends changes over one connection."""

    def __init__(self, stack: Stack) -> None:
        self._token = stack.tokens["admin"]
        self._connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=TIMEOUT_S)
        self._values = itertools.count(1)

    def send(self, method: str, path: str, body: object) -> dict[str, int]:
        """Send one request and return its answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        self._connection.request(method, path, json.dumps(body), headers)
        response = self._connection.getresponse()
        answer = json.load(response)
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {answer}")
        return dict(answer)

    def put(self, key: str) -> int:
        """Change the value and return the new revision."""
        return self.send("PUT", f"{CONFIG_PATH}/{key}", {"value": next(self._values), "type": "int"})["revision"]


def main() -> None:
    """Measure and print."""
    changes = int(sys.argv[2]) if sys.argv[1:2] == ["--changes"] else 200
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data") as stack:
            for label, samples in _measure(stack, changes // ROUNDS).items():
                print(_line(label, samples), flush=True)


def _line(label: str, samples: list[float]) -> str:
    p50, p99 = statistics.median(samples), statistics.quantiles(samples, n=100)[98]
    line = f"{label:<24} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   max {max(samples):7.2f} ms"
    reach, met = "", None
    if label == "visible":
        reach = f"p50 {TARGET_P50_MS:.0f} and p99 {TARGET_P99_MS:.0f} ms"
        met = p50 < TARGET_P50_MS and p99 < TARGET_P99_MS
    if label == "secret":
        reach, met = f"max {TARGET_SECRET_MAX_MS:.0f} ms", max(samples) < TARGET_SECRET_MAX_MS
    note(Figure(PLOT, label, p99, "ms", "floor" if label == "floor" else "ours", None, reach, met))
    return line if met is None else f"{line}   (target {reach}: {verdict(met)})"


def _measure(stack: Stack, changes: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {"floor": [], "answer": [], "published": [], "visible": [], "secret": []}
    writer = Writer(stack)
    writer.send("POST", "/v1/namespaces", {"name": NAMESPACE, "description": ""})
    writer.send("POST", KEYS_PATH, {"key": "password", "type": "int", "secret": True})
    with redis.Redis.from_url(stack.redis_url) as publisher:
        for _ in range(ROUNDS):
            # One at a time: on two cores receivers would be in each other's way.
            with receiver(_hear, stack.redis_url, FLOOR_CHANNEL) as heard:
                samples["floor"] += [_floor(publisher, heard, number) for number in range(1, changes + 1)]
            with receiver(_hear, stack.redis_url, HEADER_CHANNEL) as heard:
                pairs = [_change(writer, heard) for _ in range(changes)]
                samples["answer"] += [answered for answered, _ in pairs]
                samples["published"] += [received for _, received in pairs]
            with receiver(show, stack.url, stack.tokens["service"]) as heard:
                samples["visible"] += [_change(writer, heard)[1] for _ in range(changes)]
                samples["secret"] += [_change(writer, heard, "password")[1] for _ in range(changes // SECRET_PART)]
    return samples


def _floor(publisher: redis.Redis, heard: Pipe, number: int) -> float:
    time.sleep(PAUSE_S)
    message = json.dumps({"revision": number, "padding": "x" * 350}).encode()
    sent = time.monotonic_ns()
    publisher.publish(FLOOR_CHANNEL, b"v1.kid.signature." + message)
    return _ms(_received(heard, number) - sent)


def _change(writer: Writer, receiver: Pipe, key: str = "rate_limit") -> tuple[float, float]:
    time.sleep(PAUSE_S)
    sent = time.monotonic_ns()
    revision = writer.put(key)
    answered = time.monotonic_ns()
    return _ms(answered - sent), _ms(_received(receiver, revision) - sent)


def _received(receiver: Pipe, revision: int) -> int:
    while receiver.poll(TIMEOUT_S):
        seen, when = receiver.recv()
        if seen >= revision:
            return int(when)
    raise SystemExit(f"revision {revision} did not arrive in {TIMEOUT_S:.0f} s")


def _ms(duration_ns: int) -> float:
    return duration_ns / 1e6


@contextmanager
def receiver(target: Callable[..., None], *args: object) -> Iterator[Pipe]:
    """A process that says when it saw which revision; started afresh, because connections don't fork."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *args), daemon=True)
    process.start()
    ours.recv()
    yield ours
    process.terminate()
    process.join()


def _hear(pipe: Pipe, redis_url: str, channel: str) -> None:
    pubsub = redis.Redis.from_url(redis_url).pubsub()  # type: ignore[no-untyped-call]  # redis-py has left it without types
    pubsub.subscribe(channel)
    newest = 0
    for message in pubsub.listen():
        when = time.monotonic_ns()
        if message["type"] == "subscribe":
            pipe.send("ready")
            continue
        revision = json.loads(message["data"].split(b".", 3)[3])["revision"]
        if revision > newest:  # else a heartbeat
            newest = revision
            pipe.send((revision, when))


def show(pipe: Pipe, url: str, token: str) -> None:
    """Say of each revision when a connected client shows it."""
    with ConfigClient("bench", ENV, [NAMESPACE], url=url, token=token) as client:
        while client.status().transport != "redis":
            time.sleep(0.01)
        pipe.send("ready")
        while True:
            revision = client.snapshot().revision + 1
            if client.wait_for(revision, TIMEOUT_S):
                pipe.send((revision, time.monotonic_ns()))


if __name__ == "__main__":
    main()
