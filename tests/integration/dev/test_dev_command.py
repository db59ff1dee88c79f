"""`configsvc dev` from the outside: what it prints and writes, how it ends, and what it refuses."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from configsvc.dev.files import LAYOUT
from configsvc.dev.process import descendants
from tests.integration.dev.running import Dev, assert_gone, dev_command, eventually, is_running, refusal

# Seconds each, for starts and ends of everything; `.ci/run` runs them.
pytestmark = pytest.mark.long

ROLES = {"admin", "ops", "developer", "viewer", "service"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests here, so that Postgres makes it once; with a name that shells could stumble on."""
    return tmp_path_factory.mktemp("a clone's place") / ".dev"


@pytest.fixture
def dev(data_dir: Path) -> Iterator[Dev]:
    """`configsvc dev` on that folder; ended by force after a test that failed."""
    running = Dev(data_dir)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _get(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as response:
        return int(response.status)


def _part_pid(dev: Dev, words: str) -> int:
    """The process whose arguments hold these words, the topmost if there are several."""
    for pid in descendants(dev.pid):
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words in arguments:
            return pid
    return 0


def test_it_tells_people_and_programs_how_to_use_it(dev: Dev) -> None:
    """The ready file, the env file and the text on the terminal: complete, working, and secret where they must be."""
    ready = dev.wait_ready()
    assert set(ready) == {"url", "redis_url", "database_url", "tokens"}
    assert set(ready["tokens"]) == ROLES
    assert _mode(dev.ready_file) == _mode(dev.data_dir / "env") == _mode(dev.data_dir / "kept.json") == 0o600
    assert _get(f"{ready['url']}/readyz") == 200
    with redis.Redis.from_url(ready["redis_url"]) as connection:
        assert connection.ping()
    with psycopg.connect(ready["database_url"]) as database:
        assert database.execute("SELECT current_user").fetchone() == ("configsvc_service",)
    first, *rest = dev.said().splitlines()
    assert re.fullmatch(
        rf"configsvc 0\.1   ready in \d+\.\d s   {ready['url']}   data .*\.dev/   Ctrl-C stops everything", first
    )
    assert rest[1].startswith("  . '") or rest[1].startswith('  . "')
    assert rest[2] == "  configctl set payments rate_limit 100 --type int --env development"
    link = next(line.split()[-1] for line in rest if line.startswith("In a browser:"))
    assert link.startswith(f"{ready['url']}/ui/sign-in/")
    with urllib.request.urlopen(link, timeout=5) as page:
        assert b"Sign in as admin" in page.read()
    assert not any(token in dev.said() for token in ready["tokens"].values())
    assert dev.stop() == 0


def test_the_env_file_serves_any_shell(dev: Dev) -> None:
    """Sourcing it as the terminal says, twice too, gives the URL, all tokens and the commands, the operator's too."""
    ready = dev.wait_ready()
    source = dev.said().splitlines()[2].split("#")[0].strip()
    script = f'{source}; {source}; env; configsvc audit verify >&2; command -v python; echo "$PATH"'
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    *variables, python, path = done.stdout.splitlines()
    environ = dict(line.split("=", 1) for line in variables)
    bin_dir = str(Path(sys.executable).parent)
    assert environ["CONFIGSVC_URL"] == ready["url"]
    assert environ["CONFIGSVC_TOKEN"] == ready["tokens"]["admin"]
    assert environ["CONFIGSVC_DATABASE_URL"] == ready["database_url"]
    assert "Error" not in done.stderr, done.stderr
    assert {role: environ[f"CONFIGSVC_TOKEN_{role.upper()}"] for role in ROLES} == ready["tokens"]
    assert python == f"{bin_dir}/python"
    assert path == f"{bin_dir}:/usr/bin:/bin"
    assert dev.stop() == 0


def test_ctrl_c_ends_everything_and_a_second_start_finds_it_all(dev: Dev) -> None:
    """SIGINT to the whole foreground group: a clean end, no process left; data, tokens and ports are there again."""
    before = dev.wait_ready()
    with psycopg.connect(before["database_url"]) as database:
        namespaces = database.execute("SELECT name FROM namespace ORDER BY name").fetchall()
    assert namespaces == [("global",), ("payments",), ("search",)]
    pids = dev.pids()
    assert dev.stop(signal.SIGINT) == 0
    assert not [pid for pid in pids if is_running(pid)]
    assert not dev.ready_file.exists()
    assert "died" not in dev.said()
    assert "ended" not in dev.said()

    again = Dev(dev.data_dir)
    try:
        assert again.wait_ready() == before
    finally:
        assert again.stop() == 0


def test_killed_with_9_it_leaves_no_process_behind(dev: Dev) -> None:
    """SIGKILL for the command alone: everything it started is gone within 5 s, the ready file too."""
    dev.wait_ready()
    pids = dev.pids()
    assert len(pids) > 10, "Postgres, Valkey, web workers, relay and the reaper"
    dev.process.kill()
    dev.process.wait()
    assert_gone(pids)
    assert not dev.ready_file.exists()


def test_started_at_once_after_a_kill_it_waits_for_the_rest_to_end(dev: Dev) -> None:
    """The next start neither trips over what is still ending nor loses a port or a token to it."""
    before = dev.wait_ready()
    dev.process.kill()
    dev.process.wait()
    again = Dev(dev.data_dir)
    try:
        assert again.wait_ready() == before
    finally:
        assert again.stop() == 0


PARTS = {"valkey": "/valkey-server", "relay": "configsvc relay", "web": "gunicorn", "postgres": "/postgres -D"}


def test_a_part_that_dies_is_reported_and_comes_back(dev: Dev) -> None:
    """Each part, killed with -9, is named in one line and runs again."""
    ready = dev.wait_ready()
    killed = {name: _part_pid(dev, words) for name, words in PARTS.items()}
    assert all(killed.values())
    for pid in killed.values():
        os.kill(pid, signal.SIGKILL)
    for name, words in PARTS.items():
        eventually(lambda name=name: f"{name} was ended by SIGKILL; starting it again" in dev.said(), 5, name)
        eventually(lambda name=name, words=words: _part_pid(dev, words) not in (0, killed[name]), 5, name)
    eventually(_answers(lambda: _get(f"{ready['url']}/readyz") == 200), 10, "readiness")
    assert dev.stop() == 0
    assert "Traceback" not in dev.said()


def _answers(ask: Callable[[], bool]) -> Callable[[], bool]:
    def answers() -> bool:
        try:
            return ask()
        except OSError:
            return False

    return answers


def test_no_password_or_token_shows_in_arguments_or_logs(dev: Dev) -> None:
    """Neither `ps` nor a log shows what is kept secret in the folder."""
    dev.wait_ready()
    kept: dict[str, Any] = json.loads((dev.data_dir / "kept.json").read_text())
    secrets = [*kept["secrets"].values(), *kept["tokens"].values()]
    arguments = b" ".join(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in dev.pids()).decode()
    assert dev.stop() == 0
    logs = "".join(log.read_text() for log in (dev.data_dir / "logs").iterdir())
    assert "gunicorn" in arguments
    assert not [secret for secret in secrets if secret in arguments or secret in logs or secret in dev.said()]


def test_stopped_while_it_starts_it_leaves_nothing(dev: Dev) -> None:
    """SIGTERM during the start is a clean end too."""
    eventually(lambda: _part_pid(dev, "/postgres -D"), 10, "Postgres")
    pids = dev.pids()
    assert dev.stop() == 0
    assert not [pid for pid in pids if is_running(pid)]
    assert "Traceback" not in dev.said()


def test_a_second_one_in_the_same_folder_is_refused(dev: Dev) -> None:
    """Two at once would share a database folder: the second says who is there, and the first goes on."""
    ready = dev.wait_ready()
    line = refusal(dev_command(dev.data_dir, "--ready-file", str(dev.ready_file)))
    assert f"is in use by another `configsvc dev` (process {dev.pid})" in line
    assert dev.ready_file.exists()
    assert _get(f"{ready['url']}/readyz") == 200
    assert dev.stop() == 0


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """The port is named, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(dev_command(tmp_path / "dev", "--port", str(port)))
    assert f"port {port} is taken: stop what uses it, or name another with --port" in line


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """A file in the place of the folder, or of one above it: one line with the reason."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        assert f"can't use {path} as data folder" in refusal(dev_command(path))


def test_a_ready_file_that_cannot_be_written_is_refused(data_dir: Path, tmp_path: Path) -> None:
    """It is found out before anything starts."""
    line = refusal(dev_command(data_dir, "--ready-file", str(tmp_path / "missing" / "ready.json")))
    assert "ready file" in line


def test_a_folder_of_a_newer_layout_is_refused(tmp_path: Path) -> None:
    """What a newer configsvc has written is left alone."""
    (tmp_path / "layout").write_text(f"{LAYOUT + 1}\n")
    line = refusal(dev_command(tmp_path))
    assert f"is of another version of configsvc (layout {LAYOUT + 1}, here {LAYOUT})" in line


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    """A mistyped --data-dir doesn't fill somebody's folder with databases."""
    (tmp_path / "thesis.txt").touch()
    assert "holds something else than configsvc's data" in refusal(dev_command(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_database_of_a_newer_version_is_refused(dev: Dev) -> None:
    """A folder that a newer configsvc has migrated: one line, and everything stops again."""
    dev.wait_ready()
    kept = json.loads((dev.data_dir / "kept.json").read_text())
    url = f"postgresql://postgres:{kept['secrets']['postgres']}@127.0.0.1:{kept['ports']['postgres']}/configsvc"
    with psycopg.connect(url) as database:
        database.execute("INSERT INTO schema_migration (name) VALUES ('9999_from_the_future')")
    assert dev.stop() == 0

    assert "9999_from_the_future" in refusal(dev_command(dev.data_dir))

    server = Dev(dev.data_dir)
    server.process.wait(timeout=20)
    assert not server.ready_file.exists()
