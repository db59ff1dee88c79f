"""What an operator does while people work: migrate under load, and restore from a backup, by the steps of the docs."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from configsvc.dev import binaries
from configsvc.dev.ports import free_port
from configsvc.dev.postgres import PostgresServer
from configsvc.dev.stack import Stack
from configsvc.dev.supervisor import Supervisor
from configsvc.store import migrate as module
from configsvc.store.queries import sql_dir
from tests.chaos.arena import Arena

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
#: What takes the strongest lock, on everything that each read and each write needs.
WIDEN = "".join(
    f"ALTER TABLE {table} ADD COLUMN later text DEFAULT 'none'; "
    for table in ("environment", "release", "config_version", "scope", "outbox", "token", "config_key")
)


def test_migrated_under_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report reads for seconds, and a migration wants its tables: nobody else waits, and both come to their end."""
    folder = Path(shutil.copytree(sql_dir(), tmp_path / "sql")) / "migrations"
    (folder / "9000_widen.sql").write_text(WIDEN)
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena, ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(module, "sql_dir", lambda: folder.parent)
        with arena.fault("a migration and a long report", masked=True):
            with psycopg.connect(stack.superuser_url) as report:
                report.execute("SELECT count(*) FROM config_version")
                migrating = pool.submit(module.migrate, stack.superuser_url)
                arena.last_for(7)
                assert not migrating.done()
                arena.until_seen()
            assert migrating.result(timeout=20) == ["9000_widen"]
            arena.until_seen()
        arena.until_pushed()
        arena.finish()
        assert arena.service.refusals_s == []


def test_restored_from_a_backup(tmp_path: Path) -> None:
    """By the very commands of docs/operations.md; every client follows, and says so once."""
    save, restore, change_places, verify = blocks("Backup and restore")
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        environ = operator(stack.superuser_url) | {"CONFIGSVC_DATABASE_URL": stack.database_url}
        with arena.quiet():
            saved = arena.look()
            run(save, tmp_path, environ)
        arena.until_written(10)
        arena.until_seen()
        run(restore, tmp_path, environ)
        with arena.quiet(), arena.fault("a backup is restored"):
            stack.part("web").stop()
            stack.part("relay").stop()
            run(change_places, tmp_path, environ)
            arena.restored(saved.cursor)
            assert "intact" in run(verify, tmp_path, environ)
            stack.part("web").start()
            stack.part("relay").start()
        arena.until_written(10)
        arena.until_seen()
        arena.until_pushed()
        arena.finish()
        for name, client in arena.clients.items():
            assert client.log().count("was replaced") == 1, name
        restored_elsewhere(stack, restore, verify, tmp_path)


def restored_elsewhere(stack: Stack, restore: str, verify: str, folder: Path) -> None:
    """The same backup on a new server, where all passwords become those of the old one."""
    superuser, service = (str(conninfo_to_dict(url)["password"]) for url in (stack.superuser_url, stack.database_url))
    server = PostgresServer(folder / "stack" / "elsewhere", free_port(), superuser)
    with Supervisor(folder, print) as supervisor:
        supervisor.start(server.program())
        url = server.url("configsvc_restored", "configsvc_service", service)
        environ = operator(server.url()) | {"CONFIGSVC_DATABASE_URL": url}
        run("psql --quiet --file=roles.sql postgres", folder, environ)
        run(restore, folder, environ)
        assert "intact" in run(verify, folder, environ)


def blocks(section: str) -> list[str]:
    """The shell blocks of one section of the docs."""
    text = DOCS.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def operator(superuser_url: str) -> dict[str, str]:
    """An operator's surroundings: the tools, and who they are."""
    if not (binaries.postgres_bin_dir() / "pg_dump").is_file():
        pytest.skip("pg_dump is not among the server programs here")
    known = conninfo_to_dict(superuser_url)
    path = f"{Path(sys.executable).parent}:{binaries.postgres_bin_dir()}:{os.environ['PATH']}"
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password"}
    return {"PATH": path} | {name: str(known[of]) for name, of in names.items()}


def run(commands: str, folder: Path, environ: dict[str, str]) -> str:
    """Run them as a person would; returns what they print."""
    done = subprocess.run(
        ["sh", "-e"], input=commands, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
