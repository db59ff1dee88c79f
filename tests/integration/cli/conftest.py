"""The real command against one real service, which all tests of this folder share."""

import io
import json
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from configclient.cli._app import run
from configsvc.dev.stack import Stack

COMMAND = [sys.executable, "-c", "from configclient.cli import main; main()"]
TERMINAL_TIMEOUT_S = 20


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: a stack per worker would cost more than it saves."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("configctl"))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The service."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Configctl:
    """The command, in this process: starting one each time would take longer than all that it does."""

    start: Callable[[list[str], str, Mapping[str, str]], Outcome]

    def __call__(self, *args: str | Path, stdin: str = "", **environ: str) -> Outcome:
        """Run it to its end."""
        return self.start([str(arg) for arg in args], stdin, environ)

    def lines(self, *args: str | Path, **more: str) -> list[str]:
        """What it printed; it has to succeed."""
        outcome = self(*args, **more)
        assert outcome.code == 0, outcome
        return outcome.out.splitlines()

    def json(self, *args: str | Path, **more: str) -> Any:
        """What ``-o json`` prints."""
        return json.loads("\n".join(self.lines(*args, "-o", "json", **more)))

    def values(self, namespace: str, *more: str) -> dict[str, Any]:
        """All values of a namespace."""
        return {key: entry["value"] for key, entry in self.json("list", namespace, *more)["values"].items()}

    def revision(self, env: str = "development") -> int:
        """The newest revision."""
        [found] = [item["revision"] for item in self.json("envs", "list")["items"] if item["name"] == env]
        return int(found)


@pytest.fixture
def environ(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """What ``. .dev/env`` gives, for a developer; nothing of the profiles of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("CONFIGSVC_") or name == "NO_COLOR"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("CONFIGSVC_URL", stack.url)
    monkeypatch.setenv("CONFIGSVC_TOKEN", stack.tokens["developer"])
    monkeypatch.setenv("CONFIGSVC_ENV", "development")
    return os.environ


@pytest.fixture
def configctl(
    environ: Mapping[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Configctl:
    """The command."""

    def start(args: list[str], stdin: str, more: Mapping[str, str]) -> Outcome:
        with monkeypatch.context() as inside:
            for name, value in more.items():
                inside.setenv(name, value)
            inside.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            code = run(args)
        return Outcome(code, *capsys.readouterr())

    return Configctl(start)


Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def terminal(environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Starts the command in a pseudo-terminal, where a person would sit."""
    started: list[pexpect.spawn[str]] = []

    def start(*args: str | Path, **more: str) -> "pexpect.spawn[str]":
        command = [*COMMAND, *map(str, args)]
        variables = dict(environ) | {"TERM": "xterm", "COLUMNS": "200"} | more
        spawned = pexpect.spawn(
            command[0],
            command[1:],
            env=variables,  # type: ignore[arg-type]  # the stubs want os._Environ
            encoding="utf-8",
            timeout=TERMINAL_TIMEOUT_S,
            dimensions=(50, 200),
        )
        started.append(spawned)
        return spawned

    yield start
    for spawned in started:
        spawned.close(force=True)


def ended(spawned: "pexpect.spawn[str]") -> tuple[int | None, str]:
    """The exit code of a command in a terminal, and what it printed since the last look."""
    rest = spawned.read()
    spawned.close()
    return spawned.exitstatus, rest


@pytest.fixture
def admin(stack: Stack) -> dict[str, str]:
    """The variables that make an admin of the caller."""
    return {"CONFIGSVC_TOKEN": stack.tokens["admin"]}


@pytest.fixture
def ops(stack: Stack) -> dict[str, str]:
    """The variables that make somebody of the caller who may write to protected environments."""
    return {"CONFIGSVC_TOKEN": stack.tokens["ops"]}


@pytest.fixture
def fresh_name() -> str:
    """A name that nothing has."""
    return f"new-{secrets.token_hex(4)}"
