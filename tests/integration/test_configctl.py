"""The real command against the real service: what the quick start promises, and what scripts rely on."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

WAIT_S = 10.0
COMMAND = [sys.executable, "-c", "from configclient.cli import main; main()"]

Configctl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(stack: Any) -> dict[str, str]:
    """What ``. .dev/env`` gives, for a developer."""
    return os.environ | {
        "CONFIGSVC_URL": stack.url,
        "CONFIGSVC_TOKEN": stack.tokens["developer"],
        "CONFIGSVC_ENV": "development",
    }


@pytest.fixture
def configctl(environ: dict[str, str]) -> Configctl:
    """Runs the command in a process of its own, as the shell would."""

    def run(*args: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *args], input=stdin, capture_output=True, text=True, timeout=60, env=environ | more
        )

    return run


def test_the_quick_start(configctl: Configctl) -> None:
    """Declare and set, set again, set the same, read, list, take away: each says what happened."""
    first = configctl("set", "payments", "quick.limit", "100", "--type", "int")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("payments/quick.limit  (unset) → 100  development revision ")
    second = configctl("set", "payments", "quick.limit", "200", "--note", "more")
    assert second.stdout.startswith("payments/quick.limit  100 → 200  development revision ")
    again = configctl("set", "payments", "quick.limit", "200")
    assert (again.returncode, again.stdout) == (
        0,
        second.stdout.replace("100 → 200  development", "200  unchanged, development"),
    )
    assert configctl("get", "payments", "quick.limit").stdout == "200\n"
    assert "quick.limit" in configctl("list", "payments").stdout
    gone = configctl("unset", "payments", "quick.limit")
    assert gone.stdout.startswith("payments/quick.limit  200 → (unset)  development revision ")
    assert configctl("get", "payments", "quick.limit").returncode == 3
    assert configctl("unset", "payments", "quick.limit").stdout.startswith("payments/quick.limit  (unset)  unchanged, ")


@pytest.mark.parametrize(
    ("type_", "typed", "printed"),
    [
        ("string", '  "ü"\n☕ ', '  "ü"\n☕ '),
        ("string", "-5", "-5"),
        ("int", "-9223372036854775808", "-9223372036854775808"),
        ("float", "5", "5.0"),
        ("float", "-1e-7", "-1e-07"),
        ("bool", "false", "false"),
        ("json", '{"b": [1, 2.5, null], "a": {"ü": ""}}', None),
    ],
)
def test_every_type_comes_back_as_it_was_set(configctl: Configctl, type_: str, typed: str, printed: str | None) -> None:
    """What was typed is what `get` prints, in the type's own form; JSON comes back equal."""
    key = f"round.{type_}"
    assert configctl("set", "payments", key, typed, "--type", type_).returncode == 0
    read = configctl("get", "payments", key).stdout.removesuffix("\n")
    if printed is None:
        assert json.loads(read) == json.loads(typed)
    else:
        assert read == printed


def test_a_large_value_comes_through_a_pipe_unharmed(configctl: Configctl) -> None:
    """`get` piped into `set -` changes nothing."""
    value = "a line that ends with newlines ☕\n" * 5000 + "\n\n"
    assert configctl("set", "payments", "pipe.text", "-", "--type", "string", stdin=value + "\n").returncode == 0
    read = configctl("get", "payments", "pipe.text").stdout
    assert read == value + "\n"
    assert "unchanged" in configctl("set", "payments", "pipe.text", "-", stdin=read).stdout


def test_each_failure_has_its_exit_code_and_one_line(configctl: Configctl, stack: Any) -> None:
    """Scripts see the kind of failure in the exit code; people get one line that says what to do."""
    assert configctl("set", "payments", "code.limit", "1", "--type", "int").returncode == 0
    failures = {
        "nobody there": (1, configctl("list", "payments", CONFIGSVC_URL="http://127.0.0.1:1")),
        "no environment": (2, configctl("list", "payments", CONFIGSVC_ENV="")),
        "no such namespace": (3, configctl("list", "no-such-namespace")),
        "no such key": (3, configctl("get", "payments", "no.such.key")),
        "not declared": (3, configctl("set", "payments", "no.such.key", "1")),
        "wrong token": (4, configctl("list", "payments", CONFIGSVC_TOKEN="cfg_nobody_nothing")),
        "viewer": (4, configctl("set", "payments", "code.limit", "2", CONFIGSVC_TOKEN=stack.tokens["viewer"])),
        "protected": (4, configctl("set", "payments", "code.limit", "2", "--env", "production")),
        "another type": (5, configctl("set", "payments", "code.limit", "x", "--type", "string")),
        "not an int": (6, configctl("set", "payments", "code.limit", "1.0")),
        "too large": (6, configctl("set", "payments", "code.text", "-", "--type", "string", stdin="x" * 300_000)),
    }
    for what, (code, outcome) in failures.items():
        assert (outcome.returncode, outcome.stdout, outcome.stderr.count("\n")) == (code, "", 1), (what, outcome)
        assert outcome.stderr.startswith("configctl: "), what
    assert configctl("get", "payments", "code.limit").stdout == "1\n"


def test_programs_get_the_answers_of_the_service(configctl: Configctl) -> None:
    """-o json prints what the HTTP API answers."""
    assert configctl("set", "payments", "json.limit", "1", "--type", "int").returncode == 0
    answer = json.loads(configctl("set", "payments", "json.limit", "2", "-o", "json").stdout)
    assert answer["changed"] is True
    assert answer["changes"][0]["value"] == 2
    assert json.loads(configctl("get", "payments", "json.limit", "-o", "json").stdout)["value"] == 2
    listed = json.loads(configctl("list", "payments", "-o", "json").stdout)
    assert listed["values"]["json.limit"]["value"] == 2


class Running:
    """A program that is left running; its lines can be waited for."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        streams = (self.process.stdout, self.process.stderr)
        self._readers = [threading.Thread(target=self._read, args=(stream,)) for stream in streams]
        for reader in self._readers:
            reader.start()

    def line(self) -> str:
        """The next line of either stream, waited for."""
        return self._lines.get(timeout=WAIT_S)

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_S)

    def end(self) -> None:
        """End it whatever it does, and close what it was heard through."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT_S)
        for reader in self._readers:
            reader.join(WAIT_S)

    def _read(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))


@pytest.fixture
def running(environ: dict[str, str]) -> Iterator[Callable[..., Running]]:
    """Starts programs that end with the test."""
    started: list[Running] = []

    def start(*command: str, **more: str) -> Running:
        started.append(Running(list(command), environ | {"PYTHONUNBUFFERED": "1"} | more))
        return started[-1]

    yield start
    for program in started:
        program.end()


def test_watch_prints_changes_until_ctrl_c(configctl: Configctl, running: Callable[..., Running]) -> None:
    """One line per change of the namespace, with both values; Ctrl-C ends it quietly."""
    configctl("set", "payments", "watched.limit", "1", "--type", "int")
    watch = running(*COMMAND, "watch", "payments")
    assert watch.line().startswith("watching payments in development from revision ")
    configctl("set", "payments", "watched.limit", "2")
    assert "  payments/watched.limit  1 → 2  development revision " in watch.line()
    configctl("unset", "payments", "watched.limit")
    assert "  payments/watched.limit  2 → (unset)  development revision " in watch.line()
    assert watch.interrupt() == 0


def test_watch_of_one_key_prints_json_for_programs(configctl: Configctl, running: Callable[..., Running]) -> None:
    """Only that key, one JSON object per line."""
    configctl("set", "payments", "one.limit", "1", "--type", "int")
    watch = running(*COMMAND, "watch", "payments", "one.limit", "-o", "json")
    watch.line()
    configctl("set", "payments", "other.limit", "1", "--type", "int")
    configctl("set", "payments", "one.limit", "2")
    change = json.loads(watch.line())
    assert (change["key"], change["old"], change["new"]) == ("one.limit", 1, 2)


@pytest.mark.long
def test_watch_that_cannot_start_is_one_line(configctl: Configctl) -> None:
    """A wrong token, nobody there, and no such namespace, end at once with their exit codes."""
    denied = configctl("watch", "payments", CONFIGSVC_TOKEN="cfg_nobody_nothing")
    assert (denied.returncode, denied.stderr.count("\n")) == (4, 1), denied.stderr
    away = configctl("watch", "payments", CONFIGSVC_URL="http://127.0.0.1:1")
    assert (away.returncode, away.stderr.count("\n")) == (1, 1), away.stderr
    assert "is configsvc running there" in away.stderr
    for command in ("watch", "list"):
        assert configctl(command, "nowhere").returncode == 3, "the same failure has the same code in every command"


def test_the_example_prints_the_new_value(configctl: Configctl, running: Callable[..., Running]) -> None:
    """examples/watch.py prints the value at once, then the new one after `configctl set`, and ends on Ctrl-C."""
    configctl("set", "payments", "example.limit", "100", "--type", "int")
    example = running(sys.executable, "examples/watch.py", "payments", "example.limit")
    assert "payments/example.limit = 100 " in example.line()
    configctl("set", "payments", "example.limit", "200")
    assert "payments/example.limit = 200 " in example.line()
    assert example.interrupt() == 0
