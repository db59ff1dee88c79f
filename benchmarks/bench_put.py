"""PUT over HTTP: eight writers on two workers, each on a key of its own, one change after the other; and etcd's put.

ours    PUT S/config/{key}: a release with history, audit and hash chain, fsync on
etcd    put through its HTTP gateway, fsync on; a store of bytes without any of these

python -m benchmarks.bench_put
"""

import base64
import http.client
import json
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.bench_fanout import etcd
from benchmarks.bench_push import CONFIG_PATH, KEYS_PATH, NAMESPACE, Writer
from benchmarks.results import Figure, Kind, note, verdict
from configsvc.dev.stack import Stack

WRITERS = 8
ROUNDS, TURN_S = 5, 2.0
REACH_PER_S = 800
PLOT = "Changes over HTTP, 8 writers"

#: Sends one change, whose value is the number.
Put = Callable[[int], None]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data", workers=2) as stack:
            first = Writer(stack)
            first.send("POST", "/v1/namespaces", {"name": NAMESPACE, "description": ""})
            for number in range(WRITERS):
                first.send("POST", KEYS_PATH, {"key": f"limit-{number}", "type": "int"})
            _print("configsvc", "ours", _rate([_ours(Writer(stack), number) for number in range(WRITERS)]))
        if shutil.which("etcd"):
            with etcd(Path(name)) as url:
                _print("etcd put", "peer", _rate([_peer(url, number) for number in range(WRITERS)]))
        else:
            print("etcd put  skipped: the machine has no etcd (apt-get install etcd-server)")


def _print(name: str, kind: Kind, rate: float) -> None:
    ours = kind == "ours"
    target = f"   (target {REACH_PER_S}: {verdict(rate >= REACH_PER_S)})" if ours else ""
    print(f"{name:<9} {rate:,.0f} changes/s{target}", flush=True)
    met = rate >= REACH_PER_S if ours else None
    note(Figure(PLOT, name, rate, "/s", kind, None, f"≥ {REACH_PER_S}" if ours else "", met))


def _ours(writer: Writer, number: int) -> Put:
    path = f"{CONFIG_PATH}/limit-{number}"

    def put(value: int) -> None:
        writer.send("PUT", path, {"value": value})

    return put


def _peer(url: str, number: int) -> Put:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    key = base64.b64encode(f"limit-{number}".encode()).decode()

    def put(value: int) -> None:
        body = {"key": key, "value": base64.b64encode(str(value).encode()).decode()}
        connection.request("POST", "/v3/kv/put", json.dumps(body))
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"etcd answered {answer.status}")

    return put


def _rate(writers: list[Put]) -> float:
    """Changes per second of all together, the median of some turns."""
    rates, value = [], 0
    for _ in range(ROUNDS):
        end = time.monotonic() + TURN_S
        counts = [0] * len(writers)

        def write(index: int, base: int, end: float = end, counts: list[int] = counts) -> None:
            while time.monotonic() < end:
                counts[index] += 1
                writers[index](base + counts[index])

        threads = [threading.Thread(target=write, args=(index, value)) for index in range(len(writers))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        rates.append(sum(counts) / TURN_S)
        value += max(counts)
    return statistics.median(rates)


if __name__ == "__main__":
    main()
