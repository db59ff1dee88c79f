"""A client in another language, which knows no more than docs/protocol.md, against the real service."""

import json
import os
import queue
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.dev.part import Part
from configsvc.dev.stack import Stack
from tests.node import FOLDER, needs_node

pytestmark = [needs_node, pytest.mark.long]
DEADLINE_S = 30.0


class Watcher:
    """``node watch.mjs NAMESPACE KEY``, and the lines that it has printed."""

    def __init__(self, stack: Stack, namespace: str, key: str, cache: Path) -> None:
        environ = {
            **os.environ,
            "CONFIGSVC_URL": stack.url,
            "CONFIGSVC_TOKEN": stack.tokens["service"],
            "CONFIGSVC_CACHE": str(cache),
        }
        command = ["node", str(FOLDER / "watch.mjs"), namespace, key]
        self._process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as printed:
            for line in printed:
                self._lines.put(line)

    def until(self, value: object) -> str:
        """Wait until it shows this value; how it heard of it."""
        deadline = time.monotonic() + DEADLINE_S
        seen = []
        while (left := deadline - time.monotonic()) > 0:
            try:
                seen.append(self._lines.get(timeout=left))
            except queue.Empty:
                break
            shown = re.fullmatch(r"\S+ = (.*)  \(revision \d+, (\w+)\)\n", seen[-1])
            assert shown is not None, seen
            if shown[1] == str(value):
                return shown[2]
        pytest.fail(f"{value} was not shown, but {seen}")

    def end(self) -> None:
        """Ask it to end, as a supervisor does."""
        self._process.terminate()
        assert self._process.wait(DEADLINE_S) == 0
        self._reader.join(DEADLINE_S)


@pytest.fixture
def watch(stack: Stack, namespace: str, tmp_path: Path) -> Iterator[Callable[..., Watcher]]:
    """Starts such watchers of the test's namespace."""
    started: list[Watcher] = []

    def start(key: str = "rate") -> Watcher:
        started.append(Watcher(stack, namespace, key, tmp_path / "cache.json"))
        return started[-1]

    yield start
    for watcher in started:
        watcher.end()


@pytest.fixture
def send(stack: Stack, namespace: str) -> Callable[[str, str, object], None]:
    """Sends a request about the test's namespace."""

    def send(method: str, path: str, body: object) -> None:
        request = urllib.request.Request(
            f"{stack.url}/v1/namespaces/{namespace}/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {stack.tokens['admin']}", "Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=10).close()

    return send


@pytest.fixture
def put(send: Callable[[str, str, object], None]) -> Callable[[int], None]:
    """Sets the key ``rate`` of the test's namespace in development."""
    return lambda value: send("PUT", "envs/development/config/rate", {"value": value, "type": "int"})


def put_until(watcher: Watcher, put: Callable[[int], None], transport: str, values: Iterator[int]) -> None:
    """Go on changing the value until the watcher hears of a change by this transport."""
    deadline = time.monotonic() + DEADLINE_S
    heard = ""
    while heard != transport:
        assert time.monotonic() < deadline, heard
        value = next(values)
        put(value)
        heard = watcher.until(value)


def await_watchers(stack: Stack, namespace: str, count: int) -> None:
    """Wait until so many clients are said to be alive, well before one that said nothing would be taken for lost."""
    headers = {"Authorization": f"Bearer {stack.tokens['admin']}"}
    request = urllib.request.Request(f"{stack.url}/v1/envs/development/watchers?namespace={namespace}", headers=headers)
    deadline = time.monotonic() + DEADLINE_S
    while True:
        with urllib.request.urlopen(request, timeout=10) as response:
            watchers = json.load(response)["items"]
        if len(watchers) == count:
            return
        assert time.monotonic() < deadline, watchers


@pytest.mark.parametrize(
    ("end", "begin"),
    [(lambda part: part.kill(restart=False), Part.start), (Part.freeze, Part.resume)],
    ids=["dead", "frozen"],
)
def test_it_follows_by_push_and_without(
    stack: Stack,
    watch: Callable[..., Watcher],
    put: Callable[[int], None],
    end: Callable[[Part], None],
    begin: Callable[[Part], None],
) -> None:
    """It loads, hears by push, polls while Redis is dead or deaf, and comes back to push."""
    values = iter(range(1, 1000))
    put(next(values))
    watcher = watch()
    watcher.until(1)
    put_until(watcher, put, "redis", values)
    end(stack.part("valkey"))
    put_until(watcher, put, "longpoll", values)
    begin(stack.part("valkey"))
    put_until(watcher, put, "redis", values)


def test_it_takes_its_leave(
    stack: Stack, namespace: str, watch: Callable[..., Watcher], put: Callable[[int], None]
) -> None:
    """While it runs it is among the live clients; once it has ended nobody waits for it."""
    put(1)
    watcher = watch()
    watcher.until(1)
    await_watchers(stack, namespace, 1)
    watcher.end()
    await_watchers(stack, namespace, 0)


def test_it_survives_restarts(stack: Stack, watch: Callable[..., Watcher], put: Callable[[int], None]) -> None:
    """The service may go and come back, and a new client begins with what the last one has kept."""
    put(1)
    watcher = watch()
    watcher.until(1)
    stack.part("web").kill(restart=False)
    second = watch()
    assert second.until(1) == "none"
    stack.part("web").start()
    put(2)
    watcher.until(2)
    second.until(2)


def test_it_keeps_64_bits_and_no_secret(
    watch: Callable[..., Watcher],
    put: Callable[[int], None],
    send: Callable[[str, str, object], None],
    tmp_path: Path,
) -> None:
    """An integer that JavaScript's numbers can't hold arrives whole; a secret arrives, and is not on the disk."""
    put(2**63 - 1)
    send("POST", "keys", {"key": "password", "type": "string", "secret": True})
    send("PUT", "envs/development/config/password", {"value": "not on the disk"})
    watch("password").until("not on the disk")
    watch("rate").until(2**63 - 1)
    kept = (tmp_path / "cache.json").read_text()
    assert str(2**63 - 1) in kept
    assert "not on the disk" not in kept
