"""The two programs that make up the service: the web workers and the relay."""

import http.client
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from configsvc import meters
from configsvc.dev.process import Program
from configsvc.settings import PREFIX, Settings

_PROBE_TIMEOUT_S = 2.0
#: A little more than gunicorn's graceful_timeout and the relay's longest step: beyond it they are stuck.
_STOP_TIMEOUT_S = 4.0
#: Python looks for modules where it is started: not in whatever folder the user happens to stand.
_CWD = Path("/")


def metrics_dir() -> Path:
    """Make the folder where the web workers and the relay of one start count, in files of memory."""
    memory = Path("/dev/shm")  # noqa: S108  # the folder is private
    return Path(tempfile.mkdtemp(prefix="configsvc-metrics-", dir=memory if memory.is_dir() else None))


def web(settings: Settings, metrics: Path | None = None) -> Program:
    """The gunicorn that serves the API. ``metrics``: of ``metrics_dir``; None: each worker tells of itself alone."""
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
    environ = _environ(settings.model_copy(update={"redis_admin_url": None}), metrics)
    return Program("web", argv, answers, env=environ, cwd=_CWD, stop_timeout_s=_STOP_TIMEOUT_S)


def relay(settings: Settings, number: int = 1, metrics: Path | None = None) -> Program:
    """One relay. Several may run; one of them leads. ``metrics``: as ``web`` takes it, who shows the relay's, too."""
    return Program(
        "relay" if number == 1 else f"relay-{number}",
        [sys.executable, "-m", "configsvc", "relay"],
        # It serves nobody; its session in the database shows that it works.
        lambda: _relay_sessions(settings.database_url) >= number,
        env=_environ(settings, metrics),
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


def _environ(settings: Settings, metrics: Path | None) -> dict[str, str]:
    """Our surroundings, with exactly these settings."""
    counting = {} if metrics is None else {meters.MULTIPROC_DIR: str(metrics)}
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**others, **settings.to_environ(), **counting}


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
