"""Who runs what, with real processes: frozen, forked, ended, and with a will of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from configsvc.dev.stack import Stack

DEADLINE_S = 30.0
#: An application: says that it is up, and with ``fork`` so does its child; ends when its input does.
FOLLOWER = """
import os, sys, time
from configclient import ConfigClient

def accept(snapshot):
    if snapshot.get_int(namespace, "rate") > 100:
        time.sleep(3 if how == "slow" else 0)
        raise ValueError("rate is too high")

namespace, service, how = sys.argv[1:]
judge = accept if how in ("accept", "slow") else None
client = ConfigClient(service, "staging", [namespace], push=how != "longpoll", accept=judge)
if how == "fork":
    os.fork()
print(os.getpid(), flush=True)
sys.stdin.read()
client.close()
"""


class Api:
    """The service, as an operator uses it."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self._stack = stack
        self.namespace = namespace

    def release(self, value: int) -> int:
        """Commit a release; its revision."""
        path = f"namespaces/{self.namespace}/envs/staging/config/rate"
        return int(self._send("PUT", path, {"value": value, "type": "int"})["revision"])

    def convergence(self, revision: int, wait_s: int = 0) -> dict[str, Any]:
        """How far a release has come."""
        return self._send("GET", f"envs/staging/releases/{revision}/convergence?wait={wait_s}")

    def until(self, revision: int, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask until the answer is as expected; fail if it is not in time."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(answer := self.convergence(revision, 1)):
            assert time.monotonic() < deadline, answer
        return answer

    def lose(self, revision: int, pid: int) -> dict[str, Any]:
        """Let a process have been silent for so long that it is lost, and return how far a release has come then."""

        def lost(answer: dict[str, Any]) -> bool:
            self._silence(pid)  # again, if a worker has still written what it said before
            return pid in pids(answer["lost"])

        return self.until(revision, lost)

    def _silence(self, pid: int) -> None:
        with psycopg.connect(self._stack.database_url, autocommit=True) as connection:
            connection.execute(
                "UPDATE config_watch SET last_seen = last_seen - interval '80 s', live_until = now() - interval '5 s'"
                " WHERE pid = %s AND namespaces = %s",
                [pid, [self.namespace]],
            )

    def _send(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._stack.tokens['ops']}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._stack.url}/v1/{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=40) as response:
            document: dict[str, Any] = json.load(response)
            return document


@pytest.fixture
def api(stack: Stack, namespace: str) -> Api:
    """With a namespace of its own."""
    return Api(stack, namespace)


@pytest.fixture
def follower(stack: Stack, namespace: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts applications; what is left of them ends with the test."""
    started: list[subprocess.Popen[str]] = []
    environ = {**os.environ, "CONFIGSVC_URL": stack.url, "CONFIGSVC_TOKEN": stack.tokens["service"]}

    def start(service: str, how: str = "redis") -> subprocess.Popen[str]:
        command = [sys.executable, "-c", FOLLOWER, namespace, service, how]
        process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdecimal()
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=DEADLINE_S)


@contextmanager
def frozen(process: subprocess.Popen[str]) -> Iterator[None]:
    """Stop a process within the block."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def pids(clients: list[dict[str, Any]]) -> list[int]:
    """Whose they are."""
    return sorted(client["pid"] for client in clients)


@pytest.mark.long
@pytest.mark.parametrize("how", ["redis", "longpoll"])
def test_a_frozen_process_lags_is_lost_and_comes_back(
    api: Api, follower: Callable[..., subprocess.Popen[str]], how: str
) -> None:
    """It is named by service, host and pid while it may still be there, then as lost; thawed, it has what came."""
    first = api.release(1)
    follower("checkout", how)
    stopped = follower("search", how)
    assert api.until(first, lambda answer: answer["applied"] == 2)["converged"] is True
    with frozen(stopped):
        revision = api.release(2)
        behind = api.until(revision, lambda answer: answer["applied"] == 1)
        (laggard,) = behind["laggards"]
        assert (laggard["service"], laggard["host"]) == ("search", socket.gethostname())
        assert (laggard["pid"], laggard["revision"]) == (stopped.pid, first)
        assert (behind["watchers"], behind["converged"], behind["lost"]) == (2, False, [])
        lost = api.lose(revision, stopped.pid)
        assert (lost["watchers"], lost["converged"], pids(lost["lost"])) == (1, True, [stopped.pid])
    back = api.until(revision, lambda answer: answer["watchers"] == 2 and answer["converged"])
    assert (back["applied"], back["lost"]) == (2, [])


def test_a_change_is_confirmed_within_seconds(api: Api, follower: Callable[..., subprocess.Popen[str]]) -> None:
    """Right after a change one question, with a wait of 5 s, is answered with a yes."""
    first = api.release(1)
    follower("checkout"), follower("checkout"), follower("search")
    api.until(first, lambda answer: answer["applied"] == 3)
    answer = api.convergence(api.release(2), wait_s=5)
    assert (answer["watchers"], answer["converged"]) == (3, True)
    assert 0 < answer["times"]["p50_s"] <= answer["times"]["p99_s"] <= answer["times"]["all_s"] < 5


def test_parent_and_child_are_two(api: Api, follower: Callable[..., subprocess.Popen[str]]) -> None:
    """A fork makes a new identity: both are counted, each with its own pid."""
    first = api.release(1)
    parent = follower("checkout", "fork")
    answer = api.until(first, lambda answer: answer["watchers"] == 2 and answer["converged"])
    with frozen(parent):
        revision = api.release(2)
        answer = api.until(revision, lambda answer: answer["applied"] == 1)
        assert pids(answer["laggards"]) == [parent.pid]
    assert api.until(revision, lambda answer: answer["converged"])["applied"] == 2


def test_a_process_that_ends_is_no_laggard_for_ever(api: Api, follower: Callable[..., subprocess.Popen[str]]) -> None:
    """Killed, it lags until its silence says that it is lost; the one started in its place counts at once."""
    first = api.release(1)
    old = follower("checkout")
    api.until(first, lambda answer: answer["applied"] == 1)
    old.kill()
    old.communicate(timeout=DEADLINE_S)
    revision = api.release(2)
    follower("checkout")
    answer = api.until(revision, lambda answer: answer["applied"] == 1)
    assert (answer["watchers"], pids(answer["laggards"])) == (2, [old.pid])
    answer = api.lose(revision, old.pid)
    assert (answer["watchers"], answer["converged"], pids(answer["lost"])) == (1, True, [old.pid])


@pytest.mark.parametrize("how", ["redis", "longpoll"])
def test_nobody_waits_for_who_took_its_leave(
    api: Api, follower: Callable[..., subprocess.Popen[str]], how: str
) -> None:
    """A process that closed its client is no watcher any more, neither alive nor lost, while others are rolled out."""
    first = api.release(1)
    old = follower("checkout", how)
    api.until(first, lambda answer: answer["applied"] == 1)
    follower("checkout", how)
    api.until(first, lambda answer: answer["applied"] == 2)
    old.communicate(timeout=DEADLINE_S)
    answer = api.until(api.release(2), lambda answer: answer["converged"])
    assert (answer["watchers"], answer["lost"]) == (1, [])


@pytest.mark.long
def test_a_process_that_refuses_says_why(api: Api, follower: Callable[..., subprocess.Popen[str]]) -> None:
    """What `accept` refuses is not applied, and listed with the reason; what it takes next is."""
    first = api.release(1)
    picky = follower("checkout", "accept")
    api.until(first, lambda answer: answer["applied"] == 1)
    bad = api.release(1000)
    answer = api.until(bad, lambda answer: answer["rejected"] != [])
    (rejected,) = answer["rejected"]
    assert (rejected["pid"], rejected["revision"]) == (picky.pid, first)
    assert rejected["reason"] == "ValueError: rate is too high"
    assert (answer["applied"], answer["converged"], answer["laggards"]) == (0, False, [])
    assert api.until(api.release(50), lambda answer: answer["converged"])["rejected"] == []


@pytest.mark.long
def test_what_accept_has_not_decided_yet_is_not_applied(
    api: Api, follower: Callable[..., subprocess.Popen[str]]
) -> None:
    """While `accept` still thinks about a release, the process shows the one before: it never counts."""
    first = api.release(1)
    follower("checkout", "slow")
    api.until(first, lambda answer: answer["applied"] == 1)

    def refused(answer: dict[str, Any]) -> bool:
        assert (answer["applied"], answer["converged"]) == (0, False)
        return any(client["reason"] == "ValueError: rate is too high" for client in answer["rejected"])

    api.until(api.release(1000), refused)
