"""Reads over HTTP, against what Flask alone can do in the same gunicorn with the same settings, in turns.

The floors run in gunicorn's own gevent worker: what ours costs, and what it saves, is ours.

    look-up   a Flask view with one look-up by primary key, through the same pool of connections
    bytes     a Flask view that returns ready bytes, as many as the scope's body has
    304       GET S/config of 1,000 keys that have not changed
    200       the same without an ETag: from memory
    sync      POST /v1/sync with nothing new
    plain     GET S/config of 1,050 plain keys, as an application reads
    secrets   the same of 1,000 plain and 50 secret ones: these are opened for each request

One worker each, so that the load generator and Postgres have a core of their own.

    python -m benchmarks.bench_reads
"""

import atexit
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, Response

from benchmarks.load import Request, measure
from benchmarks.results import Figure, note, verdict
from configsvc.dev.ports import free_port
from configsvc.dev.stack import Stack
from configsvc.store.database import Database

KEYS = 1_000
CONNECTIONS = 16
ROUNDS, TURN_S = 9, 1.0
WARM_UP_S = 0.5
START_TIMEOUT_S = 10.0
SCOPE = "/v1/namespaces/bench/envs/development"
#: variant: (its floor, at least this part of the floor's rate)
TARGETS = {"304": ("look-up", 0.9), "200": ("bytes", 0.6), "sync": ("look-up", 0.9), "secrets": ("plain", 0.5)}
SECRETS = 50
FLOORS = ("look-up", "bytes")
PLOT = "Reads per second of one worker"


def create_floor() -> Flask:
    """The floor: what nobody can leave out."""
    app = Flask(__name__)
    database = Database(os.environ["BENCH_DATABASE_URL"])
    atexit.register(database.close)
    body = Path(os.environ["BENCH_BODY"]).read_bytes()

    @app.get("/look-up")
    def look_up() -> Response:
        row = database.one("SELECT revision FROM release WHERE env_id = %(env)s AND revision = 0", {"env": 1})
        assert row is not None
        return Response(status=304, headers={"ETag": f'"{row["revision"]}"'})

    @app.get("/bytes")
    def ready_bytes() -> Response:
        return Response(body, mimetype="application/json")

    return app


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(folder / "data", workers=1) as stack:
            requests = _prepare(stack, folder / "body")
            surroundings = {"BENCH_DATABASE_URL": stack.database_url, "BENCH_BODY": str(folder / "body")}
            floor = gunicorn(
                "benchmarks.bench_reads:create_floor()", "/bytes", surroundings, "--worker-class", "gevent"
            )
            with floor as (url, _):
                requests["look-up"] = Request.of(url, "GET", "/look-up", 304)
                requests["bytes"] = Request.of(url, "GET", "/bytes", 200)
                _report(requests)


def _prepare(stack: Stack, body: Path) -> dict[str, Request]:
    """Make a scope of 1,000 keys; return the requests about it."""
    send(stack, "admin", "POST", "/v1/namespaces", {"name": "bench"})
    changes = []
    for number in range(KEYS):
        changes.append({"key": f"some.setting.{number}", "value": f"value {number}"})
        send(stack, "ops", "POST", "/v1/namespaces/bench/keys", {"key": changes[-1]["key"], "type": "string"})
    send(stack, "ops", "PATCH", f"{SCOPE}/config", {"changes": changes})
    answer, etag = send(stack, "viewer", "GET", f"{SCOPE}/config")
    body.write_bytes(answer)
    sync = {"client": {"id": "bench", "service": "bench"}, "env": "development", "namespaces": ["bench"]}
    first = json.loads(send(stack, "service", "POST", "/v1/sync", sync)[0])
    again = json.dumps(sync | {"have": first["cursor"], "view": first["view"]}).encode()
    token = f"Bearer {stack.tokens['viewer']}"
    service = f"Bearer {stack.tokens['service']}"
    return {
        "304": Request.of(stack.url, "GET", f"{SCOPE}/config", 304, Authorization=token, If_None_Match=etag),
        "200": Request.of(stack.url, "GET", f"{SCOPE}/config", 200, Authorization=token),
        "sync": Request.of(stack.url, "POST", "/v1/sync", 200, again, Authorization=service),
        **_secret_scopes(stack),
    }


def _secret_scopes(stack: Stack) -> dict[str, Request]:
    """Make two scopes that differ in 50 keys; return the requests that read them as an application does."""
    service = f"Bearer {stack.tokens['service']}"
    requests = {}
    for name in ("plain", "secrets"):
        send(stack, "admin", "POST", "/v1/namespaces", {"name": name})
        changes = []
        for number in range(KEYS + SECRETS):
            changes.append({"key": f"some.setting.{number}", "value": f"value {number}"})
            key = {"key": changes[-1]["key"], "type": "string", "secret": name == "secrets" and number >= KEYS}
            send(stack, "ops", "POST", f"/v1/namespaces/{name}/keys", key)
        path = f"/v1/namespaces/{name}/envs/development/config"
        send(stack, "ops", "PATCH", path, {"changes": changes})
        requests[name] = Request.of(stack.url, "GET", path, 200, Authorization=service)
    return requests


def send(stack: Stack, role: str, method: str, path: str, body: object = None) -> tuple[bytes, str]:
    """Send one request; the answer's body and ETag."""
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request(method, path, data, {"Authorization": f"Bearer {stack.tokens[role]}"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status >= 300:
        raise SystemExit(f"{method} {path}: {content!r}")
    return content, answer.headers.get("ETag", "")


@contextmanager
def gunicorn(app: str, path: str, surroundings: dict[str, str], *options: str) -> Iterator[tuple[str, int]]:
    """Run a floor as configsvc runs, until ``path`` is answered; its address and the process of its master."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:configsvc.gunicorn_conf", "--workers", "1"]
    command += ["--bind", f"127.0.0.1:{port}", "--log-level", "warning", *options, app]
    with subprocess.Popen(command, env=os.environ | surroundings) as process:
        try:
            wait_for(port, path)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()


def wait_for(port: int, path: str) -> None:
    """Wait until a path is answered, whatever with."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _report(requests: dict[str, Request]) -> None:
    rates: dict[str, list[float]] = {name: [] for name in requests}
    latencies: dict[str, list[float]] = {name: [] for name in requests}
    for request in requests.values():
        measure(request, CONNECTIONS, WARM_UP_S)
    for _ in range(ROUNDS):
        for name, request in requests.items():
            measured = measure(request, CONNECTIONS, TURN_S)
            rates[name].append(measured.rate)
            latencies[name] += measured.latencies_ms
    for name, each in rates.items():
        p99 = statistics.quantiles(latencies[name], n=100)[98]
        rate, ratio, reach, met = statistics.median(each), None, "", None
        line = f"{name:<8} {rate:7.0f}/s   p99 {p99:6.1f} ms"
        if name in TARGETS:
            floor, target = TARGETS[name]
            ratio = statistics.median(own / bare for own, bare in zip(each, rates[floor], strict=True))
            reach, met = f"≥ {target} of {floor}", ratio >= target
            line += f"   {ratio:.2f} of {floor} (target {target}: {verdict(met)})"
        print(line, flush=True)
        note(Figure(PLOT, name, rate, "/s", "floor" if name in FLOORS else "ours", ratio, reach, met))


if __name__ == "__main__":
    main()
