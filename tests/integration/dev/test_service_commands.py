"""`configsvc migrate`, `token create`, `keys`, `serve` and `relay` from the outside, against this test's database."""

import hashlib
import json
import re
import signal
import socket
import stat
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from configsvc.dev import ports
from configsvc.dev.process import descendants
from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.dev.running import COMMAND, eventually, is_running, refusal, surroundings


def _run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [*COMMAND, *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, env=surroundings(**variables), check=True
    )


def _account(database: Database, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    environ = surroundings(CONFIGSVC_DATABASE_URL=database.service_url)
    command = [*COMMAND, "account", *words]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, env=environ, check=False)


@contextmanager
def _running(word: str, environ: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen([*COMMAND, word], stdout=output, stderr=output, env=environ, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_migrate_prints_what_it_applied(empty_database: Database) -> None:
    """The first time every migration, the second time none."""
    first = _run("migrate", CONFIGSVC_MIGRATE_DATABASE_URL=empty_database.superuser_url)
    assert first.stdout.splitlines()[0].startswith("0001_")
    second = _run("migrate", CONFIGSVC_MIGRATE_DATABASE_URL=empty_database.superuser_url)
    assert (second.stdout, second.stderr) == ("", "up to date\n")


def test_migrate_says_in_one_line_that_postgres_is_not_there() -> None:
    """No stack trace, and no password."""
    environ = surroundings(CONFIGSVC_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/c")
    line = refusal([*COMMAND, "migrate"], environ)
    assert "Connection refused" in line
    assert "hunter2" not in line


def test_token_create_prints_the_token_and_nothing_else(database: Database) -> None:
    """Standard output is the token, to be caught by a script; the database holds no part of its secret."""
    done = _run(
        *("token", "create", "--name", "ci", "--role", "ops", "--namespaces", "pay*", "--env", "staging"),
        CONFIGSVC_DATABASE_URL=database.service_url,
    )
    token = done.stdout.strip()
    assert token.startswith("cfg_")
    assert token not in done.stderr
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT t::text FROM token t").fetchall()
    assert "ci" in str(rows)
    assert token.split("_", 2)[2] not in str(rows)


def test_new_signing_key_never_overwrites(tmp_path: Path) -> None:
    """A key is readable by its owner alone, and stays."""
    file = tmp_path / "key.pem"
    _run("keys", "new-signing-key", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    assert "is there already" in refusal([*COMMAND, "keys", "new-signing-key", str(file)])
    assert file.read_bytes() == before


def test_a_key_file_is_made_and_added_to(tmp_path: Path) -> None:
    """`keys init` never overwrites, `keys add` keeps what is there; both name the key and show nothing of it."""
    file = tmp_path / "keys.json"
    made = _run("keys", "init", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"CONFIGSVC_KEYS=file:{file}" in made.stderr
    assert "is there already" in refusal([*COMMAND, "keys", "init", str(file)])
    added = _run("keys", "add", str(file))
    first, second = json.loads(file.read_bytes())["keys"]
    assert first["id"] in made.stderr
    assert second["id"] in added.stderr
    for key in (first["key"], second["key"]):
        assert key not in made.stderr + made.stdout + added.stderr + added.stdout


def test_serve_answers_and_ends_cleanly(settings: Settings, tmp_path: Path) -> None:
    """`serve` runs the API and a relay against named servers; SIGTERM ends all of it with exit code 0."""
    own = settings.model_copy(update={"port": ports.free_port()})
    log = tmp_path / "log"
    with _running("serve", surroundings(**own.to_environ()), log) as process:
        eventually(lambda: f"serves on 127.0.0.1:{own.port}" in log.read_text(), 20, "serving")
        with urllib.request.urlopen(f"http://127.0.0.1:{own.port}/readyz", timeout=5) as response:
            assert response.status == 200
        family = descendants(process.pid)
        assert len(family) >= 5, "the reaper, gunicorn, two workers, the relay"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        assert not [pid for pid in family if is_running(pid)]


def test_serve_refuses_a_database_without_the_schema(empty_database: Database, settings: Settings) -> None:
    """One line that names the command to run."""
    other = settings.model_copy(update={"database_url": empty_database.superuser_url, "port": ports.free_port()})
    line = refusal([*COMMAND, "serve"], surroundings(**other.to_environ()))
    assert "run `configsvc migrate`" in line


def test_serve_refuses_a_taken_port(settings: Settings) -> None:
    """One line that names the address and the variables."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        own = settings.model_copy(update={"port": taken.getsockname()[1]})
        line = refusal([*COMMAND, "serve"], surroundings(**own.to_environ()))
    assert f"CONFIGSVC_HOST, CONFIGSVC_PORT: can't listen on 127.0.0.1:{own.port}" in line


def test_serve_refuses_a_missing_key_file(settings: Settings, tmp_path: Path) -> None:
    """One line that names the file."""
    own = settings.model_copy(update={"signing_key_file": tmp_path / "missing.pem"})
    assert "missing.pem" in refusal([*COMMAND, "serve"], surroundings(**own.to_environ()))


def test_relay_ends_cleanly(settings: Settings, tmp_path: Path) -> None:
    """A relay takes the lead where there is none, and ends on SIGTERM with exit code 0."""
    log = tmp_path / "log"
    with _running("relay", surroundings(**settings.to_environ()), log) as process:
        eventually(lambda: "leads now" in log.read_text(), 10, "leading")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    assert "Traceback" not in log.read_text()


def test_redis_accounts_need_a_template(settings: Settings) -> None:
    """Without accounts per environment there is nothing to print, and one line says what to set."""
    own = settings.model_copy(update={"push_redis_url": "redis://all:hunter2@redis", "redis_admin_url": None})
    line = refusal([*COMMAND, "redis-accounts"], surroundings(**own.to_environ()))
    assert "CONFIGSVC_PUSH_REDIS_URL names no account per environment" in line
    assert "hunter2" not in line


@pytest.mark.parametrize("word", ["serve", "relay", "redis-accounts"])
def test_missing_settings_are_said_without_a_stack_trace(word: str) -> None:
    """Exit code 1 and a line for each variable."""
    done = subprocess.run([*COMMAND, word], capture_output=True, text=True, timeout=30, env=surroundings())
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.removeprefix("Error: ").split()[0] for line in lines] == [
        "CONFIGSVC_DATABASE_URL",
        "CONFIGSVC_REDIS_URL",
        "CONFIGSVC_SIGNING_KEY_FILE",
    ]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dev"],
        ["serve"],
        ["migrate"],
        ["relay"],
        ["redis-accounts"],
        ["token", "create"],
        ["keys"],
        ["audit", "verify"],
    ],
)
def test_help_explains_each_command(words: list[str]) -> None:
    """--help of every command works without any setting."""
    assert "Usage: configsvc" in _run(*words, "--help").stdout


def test_accounts_are_made_at_the_command_line(database: Database) -> None:
    """The password comes by standard input, too short a one is refused, and nothing of it is kept or said."""
    password = "correct horse battery staple"
    assert "12 to 1000 characters" in _account(database, "create", "ada", "--role", "admin", stdin="short\n").stderr
    made = _account(database, "create", "ada", "--role", "admin", stdin=f"{password}\n")
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "ada can sign in at /ui\n")
    assert "exists" in _account(database, "create", "ada", "--role", "admin", stdin=f"{password}\n").stderr
    assert _account(database, "password", "ada", stdin=f"{password}, again\n").returncode == 0
    assert "no live account or token" in _account(database, "password", "bob", stdin=f"{password}\n").stderr
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute("SELECT password_hash FROM account").fetchall()
        events = connection.execute("SELECT action FROM audit_event ORDER BY id").fetchall()
    assert len(rows) == 1
    assert rows[0][0].startswith("$argon2id$")
    assert [action for (action,) in events] == ["token.create", "account.password"]


def test_a_link_is_all_that_it_prints(database: Database) -> None:
    """A new one ends those of before; there is none for who is not there, and none for a token that has ended."""
    assert "no live account or token" in _account(database, "link", "ada").stderr
    _account(database, "create", "ada", "--role", "viewer", stdin="correct horse battery staple\n")
    links = [_account(database, "link", "ada").stdout for _ in range(2)]
    assert all(re.fullmatch(r"/ui/sign-in/[\w-]{43}\n", link) for link in links)
    with psycopg.connect(database.superuser_url) as connection:
        kept = connection.execute("SELECT secret_hash FROM sign_in_link").fetchall()
    assert kept == [(hashlib.sha256(links[1].strip().rpartition("/")[2].encode()).digest(),)]
