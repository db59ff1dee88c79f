"""A Postgres with a synchronous standby, and the failover to it: what an operator's tools do, by hand."""

import os
import secrets
import subprocess
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from configsvc.dev import binaries, ports, unprivileged
from configsvc.dev.ports import free_port
from configsvc.dev.postgres import SUPERUSER, PostgresServer
from configsvc.dev.supervisor import Supervisor

_NAME = "standby"


class Pair:
    """Parts ``primary`` and ``standby``. A commit is answered when both have it on disk."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        self._supervisor = supervisor
        password = secrets.token_hex(8)
        primary = PostgresServer(folder / "primary", free_port(), password)
        supervisor.start(replace(primary.program(), name="primary"))
        self._standby = PostgresServer(folder / "standby", free_port(), password)
        _copy(primary, self._standby)
        supervisor.start(replace(self._standby.program(), name="standby"))
        with psycopg.connect(primary.url(), autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{_NAME}'")
            connection.execute("SELECT pg_reload_conf()")
        hosts = ",".join(f"{ports.LOOPBACK}:{server.port}" for server in (primary, self._standby))
        self.superuser_url = f"postgresql://{SUPERUSER}:{password}@{hosts}/postgres?target_session_attrs=read-write"

    def fail_over(self) -> None:
        """Kill the primary for good, then promote the standby, in this order: two primaries would be two truths."""
        self._supervisor.part("primary").kill(restart=False)
        with psycopg.connect(self._standby.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")


def _copy(primary: PostgresServer, standby: PostgresServer) -> None:
    program = binaries.postgres_bin_dir() / "pg_basebackup"
    if not program.is_file():
        pytest.skip("pg_basebackup is not among the server programs here")
    standby.data_dir.mkdir(mode=0o700)
    drop = unprivileged.drop(program, standby.data_dir)
    drop.own(standby.data_dir)
    where = f"host={ports.LOOPBACK} port={primary.port} user={SUPERUSER} application_name={_NAME}"
    options = [f"--dbname={where}", f"--pgdata={standby.data_dir}", "--write-recovery-conf", "--checkpoint=fast"]
    environ = {**os.environ, "PGPASSWORD": primary.password}
    subprocess.run([*drop.prefix, str(program), *options], check=True, cwd="/", env=environ)
