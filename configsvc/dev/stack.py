"""Everything on one machine, from the databases to the web workers: for `configsvc dev`, the demo and the tests.

with Stack(Path(".dev")) as stack:
    stack.url, stack.tokens["admin"]
    stack.part("valkey").kill(restart=False)      # and what happens now?
    stack.part("valkey").start()
"""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

import psycopg

from configsvc.dev import ports, programs
from configsvc.dev.files import DataDir, write_private
from configsvc.dev.part import Part
from configsvc.dev.postgres import PostgresServer, set_password
from configsvc.dev.process import Program
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from configsvc.dev.welcome import env_file
from configsvc.errors import SetupError
from configsvc.settings import LogLevel, Settings

_DATABASE = "configsvc"
_SERVICE_ROLE = "configsvc_service"


def _to_stderr(line: str) -> None:
    # A terminal that has gone away is no reason to stop looking after the servers.
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201  # the supervisor's voice


class Stack:
    """A running configsvc with all it needs. Start and stop it by ``with``, or by ``start`` and ``stop``.

    Args:
        data_dir: where everything is kept; made if it isn't there.
        port: of the API; 0 takes any free one.
        relays: how many relay processes; one of them leads.
        workers: how many web workers.
        log_level: of the service's parts.
        ready_file: written when all parts answer; gone when they are stopped, or this process is killed.
        report: called with one line when a part dies.
        wrappers: words before a part's command, by part: ``env`` or ``strace``, and their arguments.

    The parts are ``postgres``, ``valkey``, ``web``, ``relay`` (then ``relay-2``, …).
    """

    #: Known from ``start`` on.
    url: str
    redis_url: str
    database_url: str
    superuser_url: str
    keys_file: Path
    tokens: dict[str, str]

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        *,
        relays: int = 1,
        workers: int = 2,
        log_level: LogLevel = "info",
        ready_file: Path | None = None,
        report: Callable[[str], None] = _to_stderr,
        wrappers: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._relays = relays
        self._workers = workers
        self._log_level = log_level
        self._ready_file = ready_file
        self._report = report
        self._wrappers = wrappers
        self._cleanup = contextlib.ExitStack()

    def start(self) -> None:
        """Start all parts and return when they answer.

        Raises:
            SetupError: something that the person at the keyboard can change; whatever had started is stopped again.
        """
        with contextlib.ExitStack() as cleanup:
            data = DataDir(self._data_dir)
            cleanup.callback(data.close)
            self._forget_ready_file()
            port = self._web_port(data)
            supervisor = cleanup.enter_context(Supervisor(data.logs, self._report, data.lock_fd))
            self._supervisor = supervisor
            self._start_servers(data, supervisor)
            settings = self._settings(data, port)
            metrics = programs.metrics_dir()
            supervisor.remove_at_end(metrics)
            relays = [programs.relay(settings, number + 1, metrics) for number in range(self._relays)]
            supervisor.start(*map(self._wrapped, (programs.web(settings, metrics), *relays)))
            self.url = f"http://{ports.LOOPBACK}:{port}"
            self._announce(data)
            self._cleanup = cleanup.pop_all()

    def stop(self) -> None:
        """Stop all parts and return when they have ended. Twice is fine."""
        self._cleanup.close()

    def part(self, name: str) -> Part:
        """One part, to look at, stop, kill or freeze."""
        return self._supervisor.part(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _web_port(self, data: DataDir) -> int:
        if self._port == 0:
            return data.port("web")
        if not ports.is_free(self._port):
            raise SetupError(f"port {self._port} is taken: stop what uses it, or name another with --port (0: any)")
        return self._port

    def _start_servers(self, data: DataDir, supervisor: Supervisor) -> None:
        postgres = PostgresServer(data.path / "postgres", data.port("postgres"), data.secret("postgres"))
        valkey = ValkeyServer(data.port("valkey"), data.secret("valkey"))
        supervisor.start(*map(self._wrapped, (postgres.program(), valkey.program())))
        self.redis_url, self._push_redis_url = valkey.url, valkey.push_url
        self.superuser_url = postgres.url(_DATABASE)
        self.database_url = postgres.url(_DATABASE, _SERVICE_ROLE, data.secret("service"))
        self._prepare_database(data, postgres.url())

    def _wrapped(self, program: Program) -> Program:
        return replace(program, argv=[*self._wrappers.get(program.name, ()), *program.argv])

    def _prepare_database(self, data: DataDir, server_url: str) -> None:
        from configsvc.service import samples
        from configsvc.store.migrate import migrate

        with psycopg.connect(server_url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {_DATABASE}")
        migrate(self.superuser_url)
        set_password(self.superuser_url, _SERVICE_ROLE, data.secret("service"))
        self.tokens = samples.ensure(self.database_url, data.tokens)
        data.keep_tokens(self.tokens)

    def _settings(self, data: DataDir, port: int) -> Settings:
        from configsvc.crypto import signing
        from configsvc.crypto.providers import local

        key_file = data.path / "signing-key.pem"
        if not key_file.exists():
            signing.generate(key_file)
        self.keys_file = data.path / "keys.json"
        if not self.keys_file.exists():
            local.create(self.keys_file)
        return Settings(
            database_url=self.database_url,
            redis_url=self.redis_url,
            push_redis_url=self._push_redis_url,
            redis_admin_url=self.redis_url,
            signing_key_file=key_file,
            keys=f"file:{self.keys_file}",
            port=port,
            workers=self._workers,
            log_level=self._log_level,
            log_format="text",
        )

    def _forget_ready_file(self) -> None:
        if self._ready_file is not None:
            try:
                self._ready_file.unlink(missing_ok=True)
            except OSError as error:
                raise SetupError(f"can't use {self._ready_file} as ready file: {error.strerror}") from error

    def _announce(self, data: DataDir) -> None:
        operator = {"CONFIGSVC_DATABASE_URL": self.database_url, "CONFIGSVC_KEYS": f"file:{self.keys_file.absolute()}"}
        write_private(data.path / "env", env_file(self.url, self.tokens, Path(sys.executable).parent, operator))
        if self._ready_file is None:
            return
        ready = {
            "url": self.url,
            "redis_url": self.redis_url,
            "database_url": self.database_url,
            "tokens": self.tokens,
        }
        self._supervisor.remove_at_end(self._ready_file)
        try:
            write_private(self._ready_file, json.dumps(ready, indent=1) + "\n")
        except OSError as error:
            raise SetupError(f"can't write the ready file {self._ready_file}: {error.strerror}") from error
