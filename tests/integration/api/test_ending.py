"""A worker that is asked to end: what is held is answered, and nothing is cut."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from configsvc.dev import ports, programs
from configsvc.settings import Settings
from tests.delivery import wait_until

SCOPE = "/v1/namespaces/payments/envs/staging"
ENDS_WITHIN_S = 20


@pytest.fixture
def web(settings: Settings, tmp_path: Path) -> Iterator[tuple[Settings, "subprocess.Popen[bytes]"]]:
    """gunicorn with one worker, and its settings."""
    own = settings.model_copy(update={"port": ports.free_port(), "workers": 1})
    program = programs.web(own)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(program.argv, env=dict(program.env or {}), cwd=program.cwd, stderr=log, stdout=log)
    try:
        wait_until(program.answers)
        yield own, process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def ask(
    web: tuple[Settings, object], role_tokens: Mapping[str, str]
) -> Iterator[Callable[..., http.client.HTTPResponse]]:
    """Send a request on a connection of its own; the answer, whose body is still to come."""
    with ExitStack() as connections:

        def send(method: str, path: str, body: object = None, role: str = "ops") -> http.client.HTTPResponse:
            connection = http.client.HTTPConnection("127.0.0.1", web[0].port, timeout=ENDS_WITHIN_S)
            connections.enter_context(closing(connection))
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Authorization": f"Bearer {role_tokens[role]}"})
            return connection.getresponse()

        yield send


def held(ask: Callable[..., http.client.HTTPResponse]) -> int:
    """How many polls are held now."""
    text = ask("GET", "/metrics").read().decode()
    return sum(
        int(float(line.split()[-1])) for line in text.splitlines() if line.startswith("configsvc_held_requests{")
    )


def test_what_is_held_is_answered_when_a_worker_ends(
    web: tuple[Settings, "subprocess.Popen[bytes]"], ask: Callable[..., http.client.HTTPResponse], tmp_path: Path
) -> None:
    """Sync, watch and a wait for convergence get whole answers without news, a stream its end, idle ones a close."""
    settings, process = web
    written = json.loads(ask("PUT", f"{SCOPE}/config/a", {"value": 1, "type": "int"}).read())
    sync = {
        "client": {"id": "1", "service": "t"},
        "env": "staging",
        "namespaces": ["payments"],
        "have": None,
        "view": None,
    }
    first = json.loads(ask("POST", "/v1/sync", sync, "service").read())
    # Somebody who will never have the release.
    ask(
        "POST", "/v1/sync", sync | {"client": {"id": "2", "service": "t"}, "have": "0.0123456789abcdef"}, "service"
    ).read()
    sync |= {"have": first["cursor"], "view": first["view"], "wait_s": 5}

    idle = socket.create_connection(("127.0.0.1", settings.port), ENDS_WITHIN_S)
    with closing(idle), ThreadPoolExecutor(3) as threads:
        polls = [
            threads.submit(lambda call: json.loads(ask(*call).read()), call)
            for call in (
                ("GET", f"{SCOPE}/watch?since={written['revision']}&timeout=50"),
                ("GET", f"/v1/envs/staging/releases/{written['revision']}/convergence?wait=30"),
                ("POST", "/v1/sync", sync, "service"),
            )
        ]
        stream = ask("GET", f"{SCOPE}/stream?since={written['revision']}")
        assert stream.readline()
        wait_until(lambda: held(ask) == 4)
        process.send_signal(signal.SIGTERM)

        watch, convergence, synced = (poll.result(ENDS_WITHIN_S) for poll in polls)
        assert (watch["has_changes"], watch["latest_revision"]) == (False, written["revision"])
        assert convergence["converged"] is not True
        assert synced["kind"] == "none"
        assert b"event: end" not in stream.read()  # as when its time is over; cut, it would raise
        assert idle.recv(1) == b""
    assert process.wait(ENDS_WITHIN_S) == 0
    log = (tmp_path / "log").read_text()
    assert "graceful timeout" not in log, log
    assert "SIGKILL" not in log, log


def test_the_answer_says_that_none_follows(
    web: tuple[Settings, "subprocess.Popen[bytes]"], ask: Callable[..., http.client.HTTPResponse]
) -> None:
    """Whoever is answered while the worker ends is told to take another connection."""
    answers = []
    with ThreadPoolExecutor(1) as threads:
        poll = threads.submit(ask, "GET", f"{SCOPE}/watch?since=0&timeout=50")
        wait_until(lambda: held(ask) == 1)
        web[1].send_signal(signal.SIGTERM)
        answers.append(poll.result(ENDS_WITHIN_S))
    assert answers[0].headers["Connection"] == "close"
    assert web[1].wait(ENDS_WITHIN_S) == 0
