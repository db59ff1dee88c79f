"""A program that is started anew when its settings change; signals go on to it, and its exit code is kept."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

import click

from configclient.cli._errors import CliError, Exit

# What reaches us is meant for the program.
FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT")
# These a terminal sends to the program too: it is in the same foreground group.
FROM_TERMINAL = {signal.SIGINT, signal.SIGQUIT}
STOP_TIMEOUT_S = 10.0
# How soon a change is noticed while nothing else happens; a program's end wakes the loop at once.
NOTICE_S = 0.2
# How soon the service is asked again that did not answer.
RETRY_S = 2.0


def replace_with(command: Sequence[str], environ: Mapping[str, str]) -> None:
    """Becomes the program: nothing stands between it, its signals and its exit code. Raises :class:`CliError`."""
    try:
        os.execvpe(command[0], list(command), dict(environ))  # noqa: S606  no shell is what it is for
    except (OSError, ValueError) as error:
        raise _cannot_start(command, error) from None


def keep_running(
    command: Sequence[str], environ: Callable[[], Mapping[str, str]], changed: threading.Event, stop_timeout_s: float
) -> int:
    """Runs the program until it ends by itself, and anew each time ``changed`` is set; gives its exit code.

    It is stopped only when the new settings are there: what ``environ`` raises is said, and the program goes on.
    """
    with _Forwarding() as forwarding:
        changed.clear()
        variables = environ()
        while True:
            program = forwarding.program = _start(command, variables)
            if forwarding.ending:  # the signal came between two programs
                program.terminate()
            newer = _next_variables(program, command[0], environ, changed)
            if newer is None or forwarding.ending:
                code = program.wait()
                return code if code >= 0 else 128 - code
            variables = newer
            click.echo(f"the settings changed: {command[0]} starts anew", err=True)
            _stop(program, stop_timeout_s)


def _next_variables(
    program: "subprocess.Popen[bytes]", name: str, environ: Callable[[], Mapping[str, str]], changed: threading.Event
) -> Mapping[str, str] | None:
    """What the program shall be started anew with; None when it ended by itself."""
    said = ""
    while program.poll() is None:
        if not changed.wait(NOTICE_S):
            continue
        changed.clear()
        try:
            return environ()
        except CliError as failure:
            if str(failure) != said:
                said = str(failure)
                click.echo(f"configctl: {said}; {name} goes on with the settings that it has", err=True)
            if failure.exit_code is Exit.UNAVAILABLE:  # others stay so until the next change
                changed.set()
                _pause(program)
    return None


def _pause(program: "subprocess.Popen[bytes]") -> None:
    with suppress(subprocess.TimeoutExpired):
        program.wait(RETRY_S)


class _Forwarding:
    """While it is entered, signals go on to the program."""

    def __init__(self) -> None:
        self.program: subprocess.Popen[bytes] | None = None
        self.ending = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "_Forwarding":
        for name in FORWARDED:
            number = getattr(signal, name, None)
            if number is not None:
                self._before[number] = signal.signal(number, self._forward)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave

    def _forward(self, number: int, _: FrameType | None) -> None:
        self.ending = self.ending or number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
        program = self.program
        if program is not None and program.poll() is None and not (number in FROM_TERMINAL and _in_foreground()):
            program.send_signal(number)


def _in_foreground() -> bool:
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def _start(command: Sequence[str], environ: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(command, env=environ)
    except (OSError, ValueError) as error:
        raise _cannot_start(command, error) from None


def _stop(program: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    program.terminate()
    try:
        program.wait(timeout_s)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _cannot_start(command: Sequence[str], error: Exception) -> CliError:
    reason = getattr(error, "strerror", None) or str(error)
    if isinstance(error, FileNotFoundError):
        return CliError(f"{command[0]} is not there; give a program and its arguments after --", Exit.NOT_FOUND)
    return CliError(f"{command[0]} can't be started ({reason})", Exit.USAGE)
