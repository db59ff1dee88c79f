"""Starting processes so that none outlives us: each in its own session, and known to the reaper before it runs."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from configsvc.dev import reaper

#: The shell writes its own pid (which stays the program's) down the reaper's pipe, closes the pipe, and becomes the
#: program. If we are killed in between, the reaper still reads the line: the pipe ends when the shell has let go of it.
_REGISTER_AND_BECOME = 'echo "$$ $0"; exec "$@" >&2'


@dataclass(frozen=True)
class Program:
    """What to run, how to see that it answers, and how to end it."""

    name: str
    argv: Sequence[str]
    answers: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    #: What the reaper sends, which can't wait for a graceful end.
    abort_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 5.0
    #: Words that come before the others, to give up rights.
    drop: Sequence[str] = ()
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    #: Given on standard input, for what must not show in the arguments.
    stdin: bytes = b""


class Spawner:
    """Starts programs, and has them ended should this process vanish.

    ``lock_fd`` stays open in the reaper: the lock it holds lasts until everything is gone.
    """

    def __init__(self, lock_fd: int | None = None) -> None:
        read_fd, self._register_fd = os.pipe()
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", "-S", reaper.__file__],
            stdin=read_fd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            pass_fds=() if lock_fd is None else (lock_fd,),
        )
        os.close(read_fd)

    def spawn(self, program: Program, log: Path | None) -> "subprocess.Popen[bytes]":
        """Start it in a session of its own (Ctrl-C reaches only us), writing to ``log`` or to our own stderr."""
        with contextlib.nullcontext() if log is None else log.open("ab") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _REGISTER_AND_BECOME, str(int(program.abort_signal)), *program.drop, *program.argv],
                stdin=subprocess.PIPE,
                stdout=self._register_fd,
                stderr=output,
                env=None if program.env is None else dict(program.env),
                cwd=program.cwd,
                start_new_session=True,
            )
        assert process.stdin is not None
        # If it has ended already, whoever waits for it will see that.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(program.stdin)
            process.stdin.close()
        return process

    def forget(self, pid: int) -> None:
        """Tell the reaper that this one has ended, before its number is used again."""
        os.write(self._register_fd, b"-%d\n" % pid)

    def remove_at_end(self, file: Path) -> None:
        """Have this file removed when the programs end, or we vanish."""
        os.write(self._register_fd, f"!{file.absolute()}\n".encode())

    def close(self) -> None:
        """Let the reaper end what is left and wait for it."""
        os.close(self._register_fd)
        self._reaper.wait()


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a whole process group; one that is gone is no error."""
    # PermissionError: macOS, for a group of zombies.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def descendants(pid: int) -> list[int]:
    """Every process below this one, whatever its session (Postgres gives each of its own one). Linux only."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name, in parentheses, may hold anything; the parent's number is the second field after it.
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents.setdefault(parent, []).append(int(stat.parent.name))
    found, new = [], [pid]
    while new:
        new = [child for parent in new for child in parents.get(parent, [])]
        found += new
    return found
