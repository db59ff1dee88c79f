"""What a scope of 10,000 keys costs a client's processor: its first load, and one change; a signature shown apart.

decode     json.loads of the first sync's answer: what nobody can leave out
load       a ConfigClient from its construction to its values, on all its threads
change     one release of one key that was pushed: verified, applied, shown
signature  one of the two that a pushed release has checked (a header and a part), in what a change costs

python -m benchmarks.bench_scope
"""

import base64
import json
import multiprocessing
import statistics
import tempfile
import time
import timeit
from collections.abc import Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.bench_push import ENV, NAMESPACE, Writer
from benchmarks.bench_reads import send
from benchmarks.results import Figure, note, verdict
from configclient import ConfigClient
from configclient._messages import DOMAIN, read_frame, releases_channel
from configsvc.dev.stack import Stack
from configsvc.domain import messages

KEYS, DECLARED_AT_ONCE = 10_000, 1_000
LOADS, CHANGES = 7, 200
LOAD_MS_MAX, CHANGE_MS_MAX = 60.0, 1.0
PAUSE_S = 0.01
TIMEOUT_S = 30.0
PLOT = "A scope of 10,000 keys, the client's processor time"


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # as root, Postgres runs as somebody else
        with Stack(Path(name) / "data") as stack:
            answer = _prepare(stack)
            decode_ms = min(timeit.repeat(lambda: json.loads(answer), number=1, repeat=20)) * 1e3
            load_ms = statistics.median(_in_process(_load, stack) for _ in range(LOADS))
            change_ms = _changes(stack)
    _print("decode", decode_ms, None)
    _print("load", load_ms, LOAD_MS_MAX)
    _print("change", change_ms, CHANGE_MS_MAX)
    _print("signature", _signature_ms(), None)


def _prepare(stack: Stack) -> bytes:
    """Make the scope; the answer to a first sync."""
    send(stack, "admin", "POST", "/v1/namespaces", {"name": NAMESPACE})
    names = [f"some.setting.{number}" for number in range(KEYS)]
    for first in range(0, KEYS, DECLARED_AT_ONCE):
        keys = [{"key": name, "type": "int"} for name in names[first : first + DECLARED_AT_ONCE]]
        send(stack, "ops", "PATCH", f"/v1/namespaces/{NAMESPACE}/keys", {"keys": keys})
        changes = [{"key": key["key"], "value": 1} for key in keys]
        send(stack, "ops", "PATCH", f"/v1/namespaces/{NAMESPACE}/envs/{ENV}/config", {"changes": changes})
    sync = {"client": {"id": "bench", "service": "bench"}, "env": ENV, "namespaces": [NAMESPACE]}
    return send(stack, "service", "POST", "/v1/sync", sync)[0]


def _changes(stack: Stack) -> float:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_follow, args=(theirs, stack.url, stack.tokens["service"]), daemon=True)
    process.start()
    ours.recv()
    writer, revision = Writer(stack), 0
    for number in range(CHANGES):
        time.sleep(PAUSE_S)
        path = f"/v1/namespaces/{NAMESPACE}/envs/{ENV}/config/some.setting.{number}"
        revision = writer.send("PUT", path, {"value": number + 2})["revision"]
    ours.send(revision)
    if not ours.poll(TIMEOUT_S):
        raise SystemExit("the changes did not arrive")
    spent_ms = float(ours.recv())
    process.join()
    return spent_ms / CHANGES


def _in_process(target: Callable[..., None], stack: Stack) -> float:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, stack.url, stack.tokens["service"])
    process = context.Process(target=target, args=arguments, daemon=True)
    process.start()
    spent = float(ours.recv())
    process.join()
    return spent


def _load(pipe: Pipe, url: str, token: str) -> None:
    began = time.process_time()
    with ConfigClient("bench", ENV, [NAMESPACE], url=url, token=token, push=False):
        pipe.send((time.process_time() - began) * 1e3)


def _follow(pipe: Pipe, url: str, token: str) -> None:
    with ConfigClient("bench", ENV, [NAMESPACE], url=url, token=token) as client:
        while client.status().transport != "redis":
            time.sleep(0.01)
        pipe.send("ready")
        began = time.process_time()
        client.wait_for(pipe.recv(), TIMEOUT_S)
        pipe.send((time.process_time() - began) * 1e3)


def _signature_ms() -> float:
    """The check of a header's signature, and nothing of what else reading it takes."""
    key, kid = Ed25519PrivateKey.generate(), "0123456789abcdef"
    body = messages.header(ENV, 2, "2.0123456789abcdef", "1.0123456789abcdef", [NAMESPACE], 3)
    signature = key.sign(DOMAIN + body)
    frame = b".".join([b"v1", kid.encode(), base64.urlsafe_b64encode(signature).rstrip(b"="), body])
    public = key.public_key()
    assert read_frame(frame, releases_channel(ENV), ENV, {kid: public}).revision == 2
    return min(timeit.repeat(lambda: public.verify(signature, DOMAIN + body), number=200, repeat=10)) / 200 * 1e3


def _print(name: str, ms: float, at_most: float | None) -> None:
    met = None if at_most is None else ms <= at_most
    target = "" if met is None else f"   (target {at_most:g}: {verdict(met)})"
    print(f"{name:<10} {ms:8.2f} ms{target}", flush=True)
    reach = "" if at_most is None else f"≤ {at_most:g} ms"
    note(Figure(PLOT, name, ms, "ms", "floor" if name == "decode" else "ours", None, reach, met))


if __name__ == "__main__":
    main()
