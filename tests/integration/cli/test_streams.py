"""Streams and signals as shells have them: closed, broken, full, interrupted; always one line, never a stack trace."""

import subprocess
from collections.abc import Mapping

import pytest

from configclient.cli import main

from .conftest import COMMAND, Configctl, Terminal, ended

PATIENCE_S = 20.0


def in_shell(environ: Mapping[str, str], line: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell in which ``configctl`` is the command."""
    python, *rest = COMMAND
    define = f'configctl() {{ {python} {rest[0]} "{rest[1]}" "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/sh", "-c", define], env=dict(environ), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("command", ["list payments -o json", "keys", "set --help", "list nowhere 2>&1"])
def test_a_reader_that_goes_away_gets_no_stack_trace(environ: Mapping[str, str], command: str) -> None:
    """``configctl … | true``: nothing is said about it, also by the help of a noun."""
    assert in_shell(environ, f"configctl {command} | true").stderr == ""


def test_a_full_disk_is_named(environ: Mapping[str, str]) -> None:
    """What can't be printed is no answer of the service that can't be understood."""
    full = in_shell(environ, "configctl list payments > /dev/full")
    assert full.returncode == 1
    assert full.stderr.count("\n") == 1
    assert "No space left on device" in full.stderr
    assert "not understood" not in full.stderr


@pytest.mark.parametrize("command", ["set payments flag - --type bool", "import - --format json --namespace payments"])
def test_a_closed_standard_input_is_an_empty_one(environ: Mapping[str, str], command: str) -> None:
    """As from some schedulers: what is read there is empty, and judged as that."""
    closed, empty = (in_shell(environ, f"configctl {command} {how}") for how in ("<&-", "</dev/null"))
    assert (closed.returncode, closed.stderr) == (6, empty.stderr)


def test_a_question_has_a_line_of_its_own(configctl: Configctl, terminal: Terminal, namespace: str) -> None:
    """After Ctrl-C, what is said begins a new line; after a no, it says what that meant."""
    configctl("set", namespace, "limit", "1", "--type", "int")
    for answer, said in (("\x03", "interrupted"), ("n\r", "nothing was written")):
        session = terminal("set", namespace, "limit", "2", "--env", "production")
        session.expect_exact("[y/N]: ")
        session.send(answer)
        code, rest = ended(session)
        assert code == 130
        assert rest.replace("\r", "").splitlines()[-1] == f"configctl: {said}"


def test_an_interrupt_around_the_command_is_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while it starts or ends is no stack trace."""

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("configclient.cli._app.run", interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
