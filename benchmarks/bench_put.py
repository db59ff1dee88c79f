"""PUT over HTTP: eight writers on two workers, one change after the other; beside what Flask alone can do, and etcd.

ours    PUT S/config/{key}: validated, authorised, committed, published; fsync on
floor   a Flask view in gunicorn's own gevent workers that calls the bare function of `bench_commit` and checks
        nothing; nobody publishes what it writes
etcd    put through its HTTP gateway, fsync on; a store of bytes without history, audit or rights

python -m benchmarks.bench_put
"""

import atexit
import base64
import http.client
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response, request

from benchmarks import bench_commit
from benchmarks.bench_fanout import etcd
from benchmarks.bench_push import CONFIG_PATH, KEYS_PATH, NAMESPACE, Writer
from benchmarks.bench_reads import gunicorn
from benchmarks.results import Figure, Kind, note, verdict
from configsvc.dev.stack import Stack
from configsvc.store.database import Database

WRITERS, WORKERS = 8, 2
ROUNDS, TURN_S = 5, 2.0
#: How the floor runs.
_AS = ("--workers", str(WORKERS), "--worker-class", "gevent")
REACH_PER_S = 800
PLOT = "Changes over HTTP, 8 writers"

#: Sends one change, whose value is the number.
Put = Callable[[int], None]


def create_floor() -> Flask:
    """The floor: what nobody can leave out."""
    app = Flask(__name__)
    database = Database(os.environ["BENCH_DATABASE_URL"])
    atexit.register(database.close)
    target = bench_commit.Target("", json.loads(os.environ["BENCH_ENV_IDS"]), int(os.environ["BENCH_KEY_ID"]))

    @app.put("/value")
    def put() -> Response:
        with database.connection() as connection:
            bench_commit.floor_call("sets", connection, target)(json.dumps(request.get_json()["value"]))
        return Response('{"changed": true}', mimetype="application/json")

    return app


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with (
            Stack(Path(name) / "data", workers=WORKERS) as stack,
            bench_commit.database(stack.superuser_url) as target,
            gunicorn("benchmarks.bench_put:create_floor()", "/value", _surroundings(target), *_AS) as (url, _),
        ):
            first = Writer(stack)
            first.send("POST", "/v1/namespaces", {"name": NAMESPACE, "description": ""})
            for number in range(WRITERS):
                first.send("POST", KEYS_PATH, {"key": f"limit-{number}", "type": "int"})
            ours, floor = _rates(
                [_ours(Writer(stack), number) for number in range(WRITERS)],
                [_floor(url) for _ in range(WRITERS)],
            )
        ratio = statistics.median(one / bare for one, bare in zip(ours, floor, strict=True))
        _print("floor", "floor", statistics.median(floor))
        _print("configsvc", "ours", statistics.median(ours), ratio)
        if shutil.which("etcd"):
            with etcd(Path(name)) as url:
                _print("etcd put", "peer", statistics.median(_rates([_peer(url, n) for n in range(WRITERS)])[0]))
        else:
            print("etcd put  skipped: the machine has no etcd (apt-get install etcd-server)")


def _surroundings(target: bench_commit.Target) -> dict[str, str]:
    return {
        "BENCH_DATABASE_URL": target.superuser_url,
        "BENCH_ENV_IDS": json.dumps(target.env_ids),
        "BENCH_KEY_ID": str(target.key_id),
    }


def _print(name: str, kind: Kind, rate: float, ratio: float | None = None) -> None:
    met = rate >= REACH_PER_S if kind == "ours" else None
    target = "" if met is None else f"   {ratio:.2f} of the floor (target {REACH_PER_S}: {verdict(met)})"
    print(f"{name:<9} {rate:,.0f} changes/s{target}", flush=True)
    note(Figure(PLOT, name, rate, "/s", kind, ratio, "" if met is None else f"≥ {REACH_PER_S}", met))


def _ours(writer: Writer, number: int) -> Put:
    path = f"{CONFIG_PATH}/limit-{number}"

    def put(value: int) -> None:
        writer.send("PUT", path, {"value": value})

    return put


def _floor(url: str) -> Put:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    return lambda value: _send(connection, "PUT", "/value", {"value": value})


def _peer(url: str, number: int) -> Put:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    key = base64.b64encode(f"limit-{number}".encode()).decode()

    def put(value: int) -> None:
        body = {"key": key, "value": base64.b64encode(str(value).encode()).decode()}
        _send(connection, "POST", "/v3/kv/put", body)

    return put


def _send(connection: http.client.HTTPConnection, method: str, path: str, body: object) -> None:
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{method} {path} was answered {answer.status}")


def _rates(*each: list[Put]) -> list[list[float]]:
    """Changes per second of all writers together, of each kind of writers, in turns."""
    rates: list[list[float]] = [[] for _ in each]
    for number in range(ROUNDS):
        for writers, of_kind in zip(each, rates, strict=True):
            of_kind.append(_rate(writers, number * 1_000_000))
    return rates


def _rate(writers: list[Put], base: int) -> float:
    end = time.monotonic() + TURN_S
    counts = [0] * len(writers)

    def write(index: int) -> None:
        while time.monotonic() < end:
            counts[index] += 1
            writers[index](base + counts[index])

    threads = [threading.Thread(target=write, args=(index,)) for index in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / TURN_S


if __name__ == "__main__":
    main()
