"""gunicorn: with --preload one client is made in the master, and every worker's follows by itself.

gevent patches a worker's threads after the fork, when the client's are running already; a client that does not pause
for it hangs in one round of twenty.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from configsvc.dev.stack import Stack

WAIT_S = 20.0
ROUNDS = 40

Serve = Callable[[list[str]], "Served"]


class Served:
    """A running gunicorn with two workers."""

    def __init__(self, options: list[str], stack: Stack, namespace: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.set_inheritable(True)
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            fd = listening.fileno()
            command = [*options, "--no-control-socket", "-w", "2", "-b", f"fd://{fd}", "--graceful-timeout", "1"]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *command, "tests.integration.client.shop:app"],
                env=os.environ
                | {
                    "CONFIGSVC_URL": stack.url,
                    "CONFIGSVC_TOKEN": stack.tokens["service"],
                    "TEST_NAMESPACE": namespace,
                },
                pass_fds=[fd],
            )

    def ask(self, revision: int) -> dict[str, Any]:
        """Whichever worker takes it says what it sees, once it sees that revision."""
        with urllib.request.urlopen(f"{self.url}/?revision={revision}", timeout=WAIT_S) as answer:
            body: dict[str, Any] = json.load(answer)
            return body

    def ask_all(self, revision: int, but: frozenset[int] = frozenset()) -> dict[int, dict[str, Any]]:
        """The same of both workers, by pid."""
        deadline = time.monotonic() + WAIT_S
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < 2:
            assert time.monotonic() < deadline, answers
            answer = self.ask(revision)
            if answer["pid"] not in but:
                answers[answer["pid"]] = answer
        return answers

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.terminate()
        assert self.process.wait(WAIT_S) == 0


@pytest.fixture
def serve(stack: Stack, namespace: str) -> Iterator[Serve]:
    """Starts gunicorn with these options."""
    running: list[Served] = []

    def start(options: list[str]) -> Served:
        running.append(Served(options, stack, namespace))
        return running[-1]

    yield start
    for served in running:
        served.stop()


@pytest.fixture
def set_n(stack: Stack, namespace: str) -> Callable[[int], int]:
    """Sets the key `n`; the release's revision."""

    def put(value: int) -> int:
        request = urllib.request.Request(
            f"{stack.url}/v1/namespaces/{namespace}/envs/development/config/n",
            json.dumps({"value": value, "type": "int", "note": "a test"}).encode(),
            {
                "Authorization": f"Bearer {stack.tokens['developer']}",
                "Content-Type": "application/json",
                "Idempotency-Key": secrets.token_hex(8),
            },
            method="PUT",
        )
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            revision: int = json.load(answer)["revision"]
            return revision

    return put


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--preload", "-k", "sync"], id="sync-preload", marks=pytest.mark.long),
        pytest.param(["--preload", "-k", "gthread", "--threads", "4"], id="gthread-preload", marks=pytest.mark.long),
        pytest.param(["--preload", "-k", "gevent"], id="gevent-preload"),
        pytest.param(["-k", "gevent"], id="gevent"),
    ],
)
def test_every_worker_follows(serve: Serve, set_n: Callable[[int], int], options: list[str]) -> None:
    """Both have the values and hear of each change; so does a worker that is forked later, when one was killed."""
    served = serve(options)
    workers = served.ask_all(set_n(1))
    assert [(answer["n"], answer["strays"]) for answer in workers.values()] == [(1, 0)] * 2
    answers = served.ask_all(set_n(2))
    assert answers.keys() == workers.keys()
    assert [(answer["n"], answer["shown"]) for answer in answers.values()] == [(2, True)] * 2
    killed = min(workers)
    os.kill(killed, signal.SIGKILL)
    answers = served.ask_all(set_n(3), but=frozenset({killed}))
    assert [(answer["n"], answer["shown"]) for answer in answers.values()] == [(3, True)] * 2
    revision = set_n(4)
    deadline = time.monotonic() + WAIT_S
    while {answer["transport"] for answer in served.ask_all(revision, frozenset({killed})).values()} != {"redis"}:
        assert time.monotonic() < deadline


@pytest.mark.long
def test_many_rounds_with_gevent(serve: Serve, set_n: Callable[[int], int]) -> None:
    """Whatever the client was doing when the workers were forked and patched, none of them hangs."""
    for value in range(ROUNDS):
        served = serve(["--preload", "-k", "gevent"])
        answers = served.ask_all(set_n(value))
        assert [(answer["n"], answer["shown"], answer["strays"]) for answer in answers.values()] == [
            (value, True, 0)
        ] * 2
        served.stop()
