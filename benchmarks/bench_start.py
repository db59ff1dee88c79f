"""A thousand clients that start at once, 100 keys: how long until all have loaded, and what it costs Postgres.

They are sockets that connect and send a client's first sync: a thousand real clients would take this machine's cores.

    python -m benchmarks.bench_start
"""

import json
import selectors
import socket
import statistics
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.bench_reads import send
from benchmarks.results import Figure, note, verdict
from configsvc.dev.stack import Stack

CLIENTS, KEYS, ROUNDS = 1_000, 100, 5
ENV, NAMESPACE = "development", "bench"
REACH_S = 3.0
TIMEOUT_S = 60.0
PLOT = "1,000 clients start at once, all loaded"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data", workers=2) as stack:
            _prepare(stack)
            _raw(stack)


def _prepare(stack: Stack) -> None:
    send(stack, "admin", "POST", "/v1/namespaces", {"name": NAMESPACE})
    changes = [{"key": f"some.setting.{number}", "value": f"value {number}"} for number in range(KEYS)]
    for change in changes:
        send(stack, "ops", "POST", f"/v1/namespaces/{NAMESPACE}/keys", {"key": change["key"], "type": "string"})
    send(stack, "ops", "PATCH", f"/v1/namespaces/{NAMESPACE}/envs/{ENV}/config", {"changes": changes})


def _raw(stack: Stack) -> None:
    before = _statements(stack)
    times = [_start(stack) for _ in range(ROUNDS)]
    statements = (_statements(stack) - before) / ROUNDS / CLIENTS
    _print("first syncs", statistics.median(times))
    print(f"{statements:.2f} transactions of Postgres for each client", flush=True)


def _print(name: str, seconds: float) -> None:
    met = seconds <= REACH_S
    print(f"{name}: all {CLIENTS:,} loaded after {seconds:.2f} s (target {REACH_S:.0f}: {verdict(met)})", flush=True)
    note(Figure(PLOT, name, seconds, "s", reach=f"≤ {REACH_S:.0f} s", met=met))


def _start(stack: Stack) -> float:
    place = urlsplit(stack.url)
    began = time.monotonic()
    with selectors.DefaultSelector() as selector:
        for number in range(CLIENTS):
            connection = socket.create_connection((str(place.hostname), int(place.port or 80)), TIMEOUT_S)
            connection.sendall(_first_sync(stack, number))
            selector.register(connection, selectors.EVENT_READ, (connection, bytearray()))
        missing = CLIENTS
        while missing:
            for key, _ in selector.select(TIMEOUT_S):
                connection, answer = key.data
                answer += connection.recv(65536)
                head, found, body = answer.partition(b"\r\n\r\n")
                if not found:
                    continue
                if b" 200 " not in head[:20]:
                    raise SystemExit(f"a client was answered {bytes(answer[:300])!r}")
                if len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]):
                    selector.unregister(connection)
                    connection.close()
                    missing -= 1
    return time.monotonic() - began


def _first_sync(stack: Stack, number: int) -> bytes:
    client = {"id": f"start-{number}", "service": "bench", "host": "bench", "pid": number}
    data = json.dumps({"client": client, "env": ENV, "namespaces": [NAMESPACE]}).encode()
    head = f"POST /v1/sync HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {stack.tokens['service']}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


def _statements(stack: Stack) -> int:
    """How many transactions Postgres has ended, what runs anyway included."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        row = connection.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])


if __name__ == "__main__":
    main()
