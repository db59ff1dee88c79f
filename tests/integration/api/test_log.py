"""What the web workers log: of requests that are answered, of an outage, and nothing that is secret."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from configsvc.dev import ports, programs
from configsvc.dev.supervisor import Supervisor
from configsvc.settings import Settings
from tests.delivery import wait_until
from tests.integration.api.proxy import Proxy

CALLERS = 32
#: While Postgres is away. Hub, pool, statements: a handful of kinds, each with its burst.
LINES_MAX = 60


class Web:
    """A worker, and its log."""

    def __init__(self, settings: Settings, log: Path, tokens: Mapping[str, str]) -> None:
        self._url = f"http://127.0.0.1:{settings.port}"
        self._log = log
        self._tokens = tokens

    def get(self, path: str, role: str | None = "ops", **headers: str) -> tuple[int, str]:
        """Send a GET; the status and the request's id."""
        given = {"Authorization": f"Bearer {self._tokens[role]}"} if role else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self._url}{path}", headers=given)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers["X-Request-Id"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["X-Request-Id"]

    def lines(self) -> list[dict[str, Any]]:
        """The log's lines."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]


@pytest.fixture
def web(proxy: Proxy, settings: Settings, role_tokens: Mapping[str, str], tmp_path: Path) -> Iterator[Web]:
    """One worker that tells of each request."""
    own = settings.model_copy(
        update={
            "database_url": make_conninfo(settings.database_url, host="127.0.0.1", port=proxy.port),
            "port": ports.free_port(),
            "workers": 1,
            "access_log": True,
        }
    )
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        supervisor.start(programs.web(own))
        yield Web(own, tmp_path / "web.log", role_tokens)


def test_every_line_of_a_request_has_its_id(web: Web, proxy: Proxy) -> None:
    """The id that a caller sends, or gets; in the line of the answer, and in what goes wrong on the way."""
    assert web.get("/v1/envs", X_Request_Id="mine-1") == (200, "mine-1")
    status, made = web.get("/v1/envs", X_Request_Id="two words")
    assert (status, len(made)) == (200, 16)
    # A sign-in link is a secret in an address; so may be what is asked for in a query.
    web.get("/ui/sign-in/hunter2", role=None, X_Request_Id="mine-2")
    web.get("/v1/hunter2?token=hunter2", X_Request_Id="mine-3")
    proxy.shut()
    assert web.get("/v1/namespaces/payments/envs/staging/config", X_Request_Id="mine-4") == (503, "mine-4")
    wait_until(lambda: any(line.get("request_id") == "mine-4" and "status" in line for line in web.lines()))

    lines = web.lines()
    answered = {line["request_id"]: line for line in lines if line["logger"] == "gunicorn.access"}
    assert answered.keys() >= {"mine-1", made, "mine-2", "mine-3", "mine-4"}
    assert {name: answered["mine-1"][name] for name in ("method", "route", "status", "address")} == {
        "method": "GET", "route": "/v1/envs", "status": 200, "address": "127.0.0.1",
    }  # fmt: skip
    assert answered["mine-2"]["route"] == "/ui/sign-in/<secret>"
    assert (answered["mine-3"]["route"], answered["mine-3"]["status"]) == ("", 404)
    assert [line["logger"] for line in lines if line.get("request_id") == "mine-4"][-1] == "gunicorn.access"
    assert {line.get("request_id") for line in lines if line["logger"] == "configsvc.delivery.hub"} <= {None}
    assert "hunter2" not in json.dumps(lines)
    proxy.open()


@pytest.mark.long
def test_an_outage_with_busy_callers_is_told_in_few_lines(web: Web, proxy: Proxy) -> None:
    """However many requests fail: what fails is said at once, then seldom, with how much was left out."""

    def failures() -> list[dict[str, Any]]:
        return [line for line in web.lines() if line["logger"] != "gunicorn.access"]

    before = len(failures())
    proxy.shut()
    until = time.monotonic() + 12.0

    def hammer(_caller: int) -> int:
        count = 0
        while time.monotonic() < until:
            count += web.get("/v1/namespaces/payments/envs/staging/config")[0] == 503
        return count

    with ThreadPoolExecutor(CALLERS) as threads:
        failed = sum(threads.map(hammer, range(CALLERS)))
    told = failures()[before:]
    assert failed > CALLERS
    assert 1 <= len(told) <= LINES_MAX, told
    proxy.open()
    wait_until(lambda: web.get("/readyz")[0] == 200)
    wait_until(lambda: any("works again" in line["message"] for line in failures()[before:]))
