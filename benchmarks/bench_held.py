"""5,000 requests held by one worker: what one costs in memory, how fast a release answers all, who suffers meanwhile.

The clients ask again as soon as they are answered: about a thousand syncs a second while nothing happens, and all of
them at once after a release. Beside them three callers read a scope, ask for readiness, and write to another
environment, on a schedule; a call's time counts from when it was due, so a worker that stands still is charged in full.

    floor   a Flask view in the same gunicorn: holds as many on one event, answers as many bytes, checks nothing
    sync    configsvc

    python -m benchmarks.bench_held [--held 5000]
"""

import http.client
import json
import multiprocessing
import os
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

from flask import Flask, Response, request

from benchmarks.bench_reads import gunicorn, send
from benchmarks.crowd import HOLD_S, Wanted, children, crowd, memory_kib
from benchmarks.results import Figure, Kind, note
from configsvc.dev.stack import Stack

RELEASES = 5
BETWEEN_RELEASES_S = 10.0
#: As long as two holds: by then whatever the arrival of all has left behind is over.
SETTLE_S = 2.0 * HOLD_S
CALL_EVERY_S = 0.05
#: What is due within this time after a release is a call during the wake-up.
WAKE_UP_S = 2.0
CALLS_MIN = 20
MEMORY_KIB_MAX, ANSWERED_S_MAX, CALLS_MS_MAX = 25.0, 1.0, 50.0
ENV, OTHER_ENV, NAMESPACE = "staging", "development", "bench"

Call = tuple[str, float, float]


def create_floor() -> Flask:
    """The floor: what nobody can leave out."""
    app = Flask(__name__)
    filling = "x" * int(os.environ["BENCH_ANSWER_BYTES"])
    moved, revision = threading.Event(), 0

    def cursor() -> str:
        return f"{revision}.0123456789abcdef"

    @app.post("/v1/sync")
    def sync() -> Response:
        if json.loads(request.data)["have"] == cursor():
            moved.wait(HOLD_S)
        return Response(json.dumps({"cursor": cursor(), "filling": filling}), mimetype="application/json")

    @app.post("/release")
    def release() -> Response:
        nonlocal moved, revision
        before, moved, revision = moved, threading.Event(), revision + 1
        before.set()
        return Response(json.dumps({"revision": revision}), mimetype="application/json")

    return app


def main() -> None:
    """Measure and print."""
    held = int(sys.argv[2]) if sys.argv[1:2] == ["--held"] else 5_000
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(folder / "data", workers=1) as stack:
            wanted = _prepare(stack)
            surroundings = {"BENCH_ANSWER_BYTES": "300"}
            with gunicorn("benchmarks.bench_held:create_floor()", "/nowhere", surroundings) as (url, master):
                _floor(url, master, held)
            _sync(stack, wanted, held)


def _floor(url: str, master: int, held: int) -> None:
    place = urlsplit(url)
    wanted = Wanted((str(place.hostname), int(place.port or 80)), "", ENV, (NAMESPACE,), "0.0123456789abcdef", "")

    def release(_: int) -> int:
        connection = http.client.HTTPConnection(place.netloc, timeout=60)
        connection.request("POST", "/release")
        return int(json.load(connection.getresponse())["revision"])

    _measure("floor", master, wanted, held, release)


def _sync(stack: Stack, wanted: Wanted, held: int) -> None:
    def release(value: int) -> int:
        path = f"/v1/namespaces/{NAMESPACE}/envs/{ENV}/config/rate"
        return int(json.loads(send(stack, "ops", "PUT", path, {"value": value})[0])["revision"])

    with _callers(stack) as stop_calls:
        quiet, released = _measure("sync", stack.part("web").pid or 0, wanted, held, release)
        calls = stop_calls()
    for name in ("config", "readyz", "put"):
        during_hold = [ms for called, due, ms in calls if called == name and quiet[0] <= due < quiet[1]]
        waking = [ms for called, due, ms in calls if called == name and _soon_after(due, released)]
        print(f"{name:<7} held  {_times(during_hold)}\n{name:<7} wakes {_times(waking)}", flush=True)


def _soon_after(due: float, released: list[float]) -> bool:
    return any(at - CALL_EVERY_S <= due < at + WAKE_UP_S for at in released)


def _times(times_ms: list[float]) -> str:
    if len(times_ms) < CALLS_MIN:
        return f"{len(times_ms)} calls came through: too few to say"
    p99 = statistics.quantiles(times_ms, n=100)[98]
    verdict = "ok" if p99 <= CALLS_MS_MAX else "missed"
    return f"p50 {statistics.median(times_ms):6.1f} ms   p99 {p99:6.1f} ms   (target {CALLS_MS_MAX:.0f}: {verdict})"


def _measure(
    name: str, master: int, wanted: Wanted, held: int, release: Callable[[int], int]
) -> tuple[tuple[float, float], list[float]]:
    """Hold and release; returns when nothing happened, and when releases were answered."""
    [worker] = children(master)
    before = memory_kib(worker)
    with crowd(wanted, held) as clients:
        time.sleep(SETTLE_S)
        each_kib = (memory_kib(worker) - before) / held
        quiet_from, busy_from = time.monotonic(), cpu_s(worker)
        time.sleep(SETTLE_S)
        quiet = quiet_from, time.monotonic()
        busy = (cpu_s(worker) - busy_from) / (quiet[1] - quiet[0])
        released, last_s, median_s, worked_s = [], [], [], []
        for value in range(1, RELEASES + 1):
            busy_from = cpu_s(worker)
            revision = release(value)
            answered_ns = time.monotonic_ns()
            woken = clients.next(revision)
            worked_s.append(cpu_s(worker) - busy_from)
            released.append(answered_ns / 1e9)
            median_s.append((woken.median_ns - answered_ns) / 1e9)
            last_s.append((woken.last_ns - answered_ns) / 1e9)
            time.sleep(BETWEEN_RELEASES_S)
        after_kib = (memory_kib(worker) - before) / held
    verdict = _target(name, each_kib, MEMORY_KIB_MAX)
    print(f"{name:<7} memory of one: {each_kib:.1f} KiB, {after_kib:.1f} after {RELEASES} releases{verdict}")
    print(f"{name:<7} the worker is busy {busy:.0%} of the time while {held} are held")
    print(
        f"{name:<7} from the release's answer to the median one {statistics.median(median_s):.2f} s, to the last one"
        f" {statistics.median(last_s):.2f} s, at worst {max(last_s):.2f} s{_target(name, max(last_s), ANSWERED_S_MAX)}"
    )
    kind: Kind = "floor" if name == "floor" else "ours"
    for plot, figure, unit, most in (
        (f"Memory of one of {held:,} held requests", each_kib, "KiB", MEMORY_KIB_MAX),
        (f"A release is answered to the last of {held:,} held requests", max(last_s), "s", ANSWERED_S_MAX),
    ):
        reach, met = (f"≤ {most:.0f} {unit}", figure <= most) if kind == "ours" else ("", None)
        note(Figure(plot, name, figure, unit, kind, None, reach, met))
    print(f"{name:<7} the worker computes {statistics.median(worked_s):.2f} s for that", flush=True)
    return quiet, released


def _target(name: str, value: float, at_most: float) -> str:
    return "" if name == "floor" else f"   (target {at_most:.0f}: {'ok' if value <= at_most else 'missed'})"


def cpu_s(pid: int) -> float:
    """How long a process has been running on a processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _prepare(stack: Stack) -> Wanted:
    send(stack, "admin", "POST", "/v1/namespaces", {"name": NAMESPACE})
    for env in (ENV, OTHER_ENV):
        path = f"/v1/namespaces/{NAMESPACE}/envs/{env}/config/rate"
        send(stack, "ops", "PUT", path, {"value": 0, "type": "int"})
    body = {"client": {"id": "first", "service": "bench"}, "env": ENV, "namespaces": [NAMESPACE]}
    first = json.loads(send(stack, "service", "POST", "/v1/sync", body)[0])
    place = urlsplit(stack.url)
    address = str(place.hostname), int(place.port or 80)
    return Wanted(address, stack.tokens["service"], ENV, (NAMESPACE,), first["cursor"], first["view"])


@contextmanager
def _callers(stack: Stack) -> Iterator[Callable[[], list[Call]]]:
    """Three who call all the time, in a process of their own; gives what ends them and returns their calls."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_call, args=(theirs, stack.url, stack.tokens["ops"]), daemon=True)
    process.start()

    def stop() -> list[Call]:
        ours.send("stop")
        return list(ours.recv())

    try:
        yield stop
    finally:
        process.terminate()
        process.join()


def _call(pipe: Pipe, url: str, token: str) -> None:
    scope = f"/v1/namespaces/{NAMESPACE}/envs/{OTHER_ENV}/config"
    stopped = threading.Event()
    calls: list[Call] = []

    def call(name: str, method: str, path: str) -> None:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        due = time.monotonic()
        while not stopped.wait(max(0, due - time.monotonic())):
            body = json.dumps({"value": time.monotonic_ns()}) if method == "PUT" else None
            connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            if answer.status != 200:
                raise SystemExit(f"{method} {path}: {answer.read()!r}")
            answer.read()
            calls.append((name, due, (time.monotonic() - due) * 1e3))
            due += CALL_EVERY_S

    kinds = [("config", "GET", scope), ("readyz", "GET", "/readyz"), ("put", "PUT", f"{scope}/rate")]
    threads = [threading.Thread(target=call, args=kind) for kind in kinds]
    for thread in threads:
        thread.start()
    pipe.recv()
    stopped.set()
    for thread in threads:
        thread.join()
    pipe.send(calls)


if __name__ == "__main__":
    main()
