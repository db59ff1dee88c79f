"""run: programs with settings as environment variables. watch: every change in a line."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from configclient.cli.commands import watch
from configsvc.service import tokens
from configsvc.service.tokens import Wanted
from configsvc.store.access import NewGrant

from .conftest import COMMAND, Configctl, Terminal, ended

WAIT_S = 20
SHOW = [sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
# Says what it has, and ends with 3 on SIGTERM and 4 on SIGUSR1; a line on its standard input ends it well.
SERVER = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: os._exit(3))
signal.signal(signal.SIGUSR1, lambda *_: os._exit(4))
print("limit", os.environ["LIMIT"], flush=True)
while True: signal.pause()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(environ: Mapping[str, str]) -> Iterator[Start]:
    """Starts the command in a process of its own, and ends it with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*args: str, **more: str) -> "subprocess.Popen[str]":
        variables = dict(environ) | {"PYTHONUNBUFFERED": "1"} | more
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen([*COMMAND, *args], env=variables, text=True, **pipes))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=WAIT_S)


def printed(process: "subprocess.Popen[str]") -> dict[str, str]:
    """The variables that a program printed."""
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    return dict(json.loads(out))


def test_settings_are_variables(configctl: Configctl, start: Start, new_namespace: Callable[[], str]) -> None:
    """Strings as they are, everything else as JSON; they win over what was there; nothing else changes."""
    one, two = new_namespace(), new_namespace()
    for namespace, key, type_, value in (
        (one, "db.pool-size", "int", "5"),
        (one, "text", "string", "two\nlines $HOME 'x'"),
        (one, "on", "bool", "true"),
        (one, "map", "json", '{"a": [1]}'),
        (one, "9lives", "int", "9"),
        (two, "other", "string", "two"),
    ):
        configctl.lines("set", namespace, key, value, "--type", type_)
    seen = printed(start("run", "--namespace", one, "--namespace", two, "--", *SHOW, ON="false", UNTOUCHED="1"))
    wanted = {
        "DB_POOL_SIZE": "5",
        "TEXT": "two\nlines $HOME 'x'",
        "ON": "true",
        "MAP": '{"a": [1]}',
        "_9LIVES": "9",
        "OTHER": "two",
        "UNTOUCHED": "1",
    }
    assert {name: seen.get(name) for name in wanted} == wanted
    prefixed = printed(start("run", "--namespace", two, "--prefix", "--", *SHOW))
    assert prefixed[two.upper().replace("-", "_") + "_OTHER"] == "two"


def test_names_that_collide_or_choose_code_are_errors(configctl: Configctl, new_namespace: Callable[[], str]) -> None:
    """The line names the keys, and --prefix as the way out; the program is not started."""
    one, two, path = new_namespace(), new_namespace(), new_namespace()
    for namespace in (one, two):
        configctl.lines("set", namespace, "limit", "1", "--type", "int")
    both = configctl("run", "--namespace", one, "--namespace", two, "--", *SHOW)
    assert (both.code, both.out) == (6, "")
    assert f"{one}/limit and {two}/limit would both be LIMIT; `run --prefix`" in both.err
    configctl.lines("set", path, "path", "/tmp", "--type", "string")
    assert "would be PATH, which is never set from settings" in configctl("run", "--namespace", path, "--", *SHOW).err


def test_the_exit_code_and_the_arguments_are_the_programs(start: Start, namespace: str) -> None:
    """No shell and no option parser comes in between."""
    program = "import sys; print(sys.argv[1:]); sys.exit(42)"
    process = start("run", "--namespace", namespace, "--", sys.executable, "-c", program, "--env", "$HOME", "*")
    out, _ = process.communicate(timeout=WAIT_S)
    assert (process.returncode, out) == (42, "['--env', '$HOME', '*']\n")


def test_a_program_that_is_not_there_is_one_line(configctl: Configctl, namespace: str) -> None:
    """And so is none at all."""
    gone = configctl("run", "--namespace", namespace, "--", "no-such-program")
    assert (gone.code, "no-such-program is not there" in gone.err) == (3, True)
    assert configctl("run", "--namespace", namespace).code == 2


@pytest.mark.parametrize(
    ("more", "number", "code"),
    [
        ((), signal.SIGTERM, 3),
        ((), signal.SIGKILL, -signal.SIGKILL),
        (("--restart-on-change",), signal.SIGTERM, 3),
        (("--restart-on-change",), signal.SIGUSR1, 4),
    ],
)
def test_signals_go_on_to_the_program(
    configctl: Configctl, start: Start, namespace: str, more: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    """Its exit code comes back."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    process = start("run", "--namespace", namespace, *more, "--", sys.executable, "-c", SERVER)
    assert process.stdout is not None
    assert process.stdout.readline() == "limit 1\n"
    process.send_signal(number)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == code


def test_a_change_starts_the_program_anew(configctl: Configctl, start: Start, namespace: str) -> None:
    """It is stopped by SIGTERM first, killed if it does not stop, and keeps running with what is new."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    deaf = SERVER.replace("os._exit(3)", "None")
    process = start(
        *("run", "--namespace", namespace, "--restart-on-change", "--stop-timeout", "0.1"),
        *("--", sys.executable, "-c", deaf),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "limit 1\n"
    for value in ("2", "3"):
        configctl.lines("set", namespace, "limit", value)
        assert process.stdout.readline() == f"limit {value}\n"
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate(timeout=WAIT_S)
    assert (process.returncode, err.count("starts anew")) == (4, 2)


def test_settings_that_no_program_can_have_stop_none(configctl: Configctl, start: Start, namespace: str) -> None:
    """A slip in the settings is said, and the program goes on; once it is put right, the program starts anew."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    process = start("run", "--namespace", namespace, "--restart-on-change", "--", sys.executable, "-c", SERVER)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "limit 1\n"
    configctl.lines("set", namespace, "LIMIT", "2", "--type", "int")
    assert "goes on with the settings that it has" in process.stderr.readline()
    assert process.poll() is None
    configctl.lines("unset", namespace, "LIMIT")
    assert "starts anew" in process.stderr.readline()
    assert process.stdout.readline() == "limit 1\n"
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=WAIT_S)
    assert process.returncode == 4


def test_ctrl_c_reaches_the_program_once(configctl: Configctl, terminal: Terminal, namespace: str) -> None:
    """In a terminal both are in the foreground: what the terminal sends is not sent again."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    program = """
import signal, sys
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("ready", flush=True)
while not got:
    signal.sigtimedwait([signal.SIGUSR2], 0.05)
signal.sigtimedwait([signal.SIGUSR2], 0.5)  # there would be a second one by then
sys.exit(10 + len(got))
"""
    session = terminal("run", "--namespace", namespace, "--restart-on-change", "--", sys.executable, "-c", program)
    session.expect_exact("ready")
    session.sendintr()
    assert ended(session)[0] == 11


def test_a_watch_ends_with_its_token(
    configctl: Configctl, stack: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever would wait for ever is told to log in again."""
    monkeypatch.setattr(watch, "LOOK_S", 0.1)
    wanted = Wanted(namespace, [NewGrant("viewer", namespace, None)])
    token = tokens.create(stack.database_url, wanted, actor="the tests")
    assert configctl("list", namespace, CONFIGSVC_TOKEN=token).code == 0
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(_revoke_when_watching, stack, namespace)
        outcome = configctl("watch", namespace, CONFIGSVC_TOKEN=token)
        ended.result(10)
    assert (outcome.code, "`configctl login` again" in outcome.err.splitlines()[-1]) == (4, True), outcome


def _revoke_when_watching(stack: Any, name: str) -> None:
    """Take a token back when it has been used for a watch."""
    with psycopg.connect(stack.superuser_url, autocommit=True) as connection:
        deadline = time.monotonic() + 10
        while not connection.execute(
            "SELECT 1 FROM watcher WHERE service = 'configctl' AND %s = ANY (namespaces)", [name]
        ).fetchone():
            assert time.monotonic() < deadline
        connection.execute("UPDATE token SET revoked_at = clock_timestamp() WHERE name = %s", [name])
