"""Postgres and Redis are away together: how much each process says of it, while callers, probes and clients go on."""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from configclient import ConfigClient
from configsvc.dev import ports, programs
from configsvc.dev.supervisor import Supervisor
from configsvc.service import samples
from configsvc.settings import Settings
from tests.delivery import wait_until
from tests.integration.api.proxy import Proxy

AWAY_S = 12.0
CALLERS = 32
#: Of each process in that time. What fails in a worker is of a handful of kinds: five lines at once of each, and one
#: every 10 s. A relay has one, and a client tells of changes and not of attempts.
LINES_MAX = {"web": 45, "relay": 6, "client": 6}
CONFIG = "/v1/namespaces/payments/envs/staging/config"
SYNC = {"client": {"id": "1", "service": "test"}, "env": "staging", "namespaces": ["payments"], "wait_s": 5}


class Doors:
    """One before Postgres, one before Redis, and the settings that lead through them."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        postgres, redis = conninfo_to_dict(settings.database_url), urlsplit(settings.redis_url)
        self._doors = [
            stack.enter_context(Proxy(str(postgres["host"]), int(postgres["port"] or 5432))),
            stack.enter_context(Proxy(str(redis.hostname), redis.port or 6379)),
        ]
        before_postgres, before_redis = (door.port for door in self._doors)
        redis_url = urlunsplit(redis._replace(netloc=f"{redis.netloc.rpartition(':')[0]}:{before_redis}"))
        self.settings = settings.model_copy(
            update={
                "database_url": make_conninfo(settings.database_url, host="127.0.0.1", port=before_postgres),
                "redis_url": redis_url,
                "redis_admin_url": redis_url,
                "push_redis_url": f"redis://client-{{env}}:{{password}}@127.0.0.1:{before_redis}/0",
                "port": ports.free_port(),
                "workers": 1,
            }
        )

    def shut(self) -> None:
        """Take both away."""
        for door in self._doors:
            door.shut()

    def open(self) -> None:
        """Bring both back."""
        for door in self._doors:
            door.open()


@pytest.fixture
def doors(settings: Settings) -> Iterator[Doors]:
    """Open ones."""
    with ExitStack() as stack:
        yield Doors(settings, stack)


@pytest.fixture
def logs(doors: Doors, tmp_path: Path) -> Iterator[Callable[[], Mapping[str, list[str]]]]:
    """A web worker and a relay behind the doors; their lines until now, by process."""
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        supervisor.start(programs.web(doors.settings))
        supervisor.start(programs.relay(doors.settings))
        yield lambda: {name: (tmp_path / f"{name}.log").read_text().splitlines() for name in ("web", "relay")}


def send(url: str, token: str, body: object = None) -> None:
    """Send a request, and don't mind what is answered."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with suppress(OSError), urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=20) as answer:
        answer.read()


@pytest.mark.long
def test_when_all_is_away_few_lines_say_so(
    doors: Doors,
    settings: Settings,
    logs: Callable[[], Mapping[str, list[str]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However many requests, probes and attempts fail; and each process says when it is over."""
    caplog.set_level(logging.INFO, logger="configclient")
    token = samples.ensure(settings.database_url, None)["ops"]
    url = f"http://127.0.0.1:{doors.settings.port}"
    with ConfigClient("checkout", "staging", ["payments"], url=url, token=token) as client:
        wait_until(lambda: client.status().transport == "redis")
        before = {name: len(lines) for name, lines in logs().items()}
        caplog.clear()
        doors.shut()
        until = time.monotonic() + AWAY_S

        def hammer(number: int) -> int:
            calls: list[Any] = [(CONFIG, None), ("/readyz", None), ("/v1/sync", SYNC)]
            count = 0
            while time.monotonic() < until:
                path, body = calls[(number + count) % len(calls)]
                send(f"{url}{path}", token, body)
                count += 1
            return count

        with ThreadPoolExecutor(CALLERS) as threads:
            sent = sum(threads.map(hammer, range(CALLERS)))
        told = {name: lines[before[name] :] for name, lines in logs().items()}
        told["client"] = [record.getMessage() for record in caplog.records]
        doors.open()
        wait_until(lambda: client.status().transport == "redis" and client.status().state == "live")
        wait_until(lambda: all("works again" in "".join(lines) for lines in logs().values()))
    assert sent > CALLERS
    assert all(1 <= len(lines) <= LINES_MAX[name] for name, lines in told.items()), told
