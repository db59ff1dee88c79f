"""The two programs that make up the service: the web workers and the relay."""

import http.client
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg

from configsvc.dev.process import Program
from configsvc.settings import PREFIX, Settings

_PROBE_TIMEOUT_S = 2.0
#: A little more than gunicorn's graceful_timeout and the relay's longest step: beyond it they are stuck.
_STOP_TIMEOUT_S = 4.0
#: Python looks for modules where it is started: not in whatever folder the user happens to stand.
_CWD = Path("/")


def web(settings: Settings) -> Program:
    """The gunicorn that serves the API."""
    argv = [
        *(sys.executable, "-m", "gunicorn"),
        *("--config", "python:configsvc.gunicorn_conf"),
        *("--bind", f"{_bracketed(settings.host)}:{settings.port}"),
        *("--workers", str(settings.workers)),
        *("--log-level", settings.log_level),
        *(("--access-logfile", "-") if settings.access_log else ()),
        "configsvc.app:create_app()",
    ]
    answers = _http_ok(settings.host, settings.port, "/readyz")
    # Who answers to everybody has no use for the keys to Redis' accounts.
    environ = _environ(settings.model_copy(update={"redis_admin_url": None}))
    return Program("web", argv, answers, env=environ, cwd=_CWD, stop_timeout_s=_STOP_TIMEOUT_S)


def relay(settings: Settings, number: int = 1) -> Program:
    """One relay. Several may run; one of them leads."""
    return Program(
        "relay" if number == 1 else f"relay-{number}",
        [sys.executable, "-m", "configsvc", "relay"],
        # It serves nobody; its session in the database shows that it works.
        lambda: _relay_sessions(settings.database_url) >= number,
        env=_environ(settings),
        cwd=_CWD,
        stop_timeout_s=_STOP_TIMEOUT_S,
    )


def _relay_sessions(database_url: str) -> int:
    try:
        with psycopg.connect(database_url, autocommit=True, connect_timeout=2) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'configsvc relay'"
            ).fetchone()
    except psycopg.Error:
        return 0
    return int(row[0]) if row else 0


def _environ(settings: Settings) -> dict[str, str]:
    """Our surroundings, with exactly these settings."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**others, **settings.to_environ()}


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _http_ok(host: str, port: int, path: str) -> Callable[[], bool]:
    # Who listens on all addresses answers on the loopback too.
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # asks, doesn't listen

    def answers() -> bool:
        connection = http.client.HTTPConnection(address, port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return answers
