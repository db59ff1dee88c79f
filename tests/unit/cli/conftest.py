"""configctl in this process, against a scripted service on a real socket."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from configclient.cli._app import run

TOKEN = "cfg_test_secret"
HANG_UP = 0


@dataclass
class Request:
    """What the service was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Service:
    """Answers what it was told to, in order, the last one for ever; anything else is a 404. Records requests."""

    url: str
    answers: dict[tuple[str, str], list[tuple[int, Any, dict[str, str]]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def on(self, method: str, path: str, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """The next answer to ``method path``; status ``HANG_UP`` closes the connection without one."""
        self.answers.setdefault((method, path), []).append((status, body, headers or {}))

    def answer(self, request: Request) -> tuple[int, Any, dict[str, str]]:
        """Status, body and headers."""
        self.requests.append(request)
        scripted = self.answers.get((request.method, request.path))
        if not scripted:
            return 404, {"code": "not_found", "detail": f"no {request.path}"}, {}
        return scripted.pop(0) if len(scripted) > 1 else scripted[0]

    def sent(self, method: str) -> list[Request]:
        """The requests with this method, oldest first."""
        return [request for request in self.requests if request.method == method]


@pytest.fixture
def service() -> Iterator[Service]:
    """A scripted service that listens."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.command, self.path, dict(self.headers), json.loads(raw) if raw else None)
            status, body, headers = double.answer(request)
            if status == HANG_UP:
                self.close_connection = True
                return
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_DELETE = do_PATCH = do_POST = handle_any

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    double = Service(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield double
    server.shutdown()
    server.server_close()


@dataclass
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Configctl = Callable[..., Outcome]


@pytest.fixture
def configctl(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Configctl:
    """Runs the command as a user would, with the environment that the quick start gives."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CONFIGSVC_URL", service.url)
    monkeypatch.setenv("CONFIGSVC_TOKEN", TOKEN)
    monkeypatch.setenv("CONFIGSVC_ENV", "development")
    monkeypatch.setattr("configclient.cli._http.RETRY_BACKOFF_S", 0)

    def call(*args: str) -> Outcome:
        code = run(list(args))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
