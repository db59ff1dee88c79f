"""Runs `configsvc dev` and looks at its processes, for the tests of this folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from configsvc.dev.process import descendants

COMMAND = [sys.executable, "-m", "configsvc"]
START_WITHIN_S = 30.0
#: Promised in DESIGN.md §11.
GONE_WITHIN_S = 5.0


def eventually(condition: Callable[[], object], within_s: float, what: str) -> None:
    """Return when the condition holds; fail when it does not within its time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that only waits to be collected by its parent has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def assert_gone(pids: Iterable[int]) -> None:
    """None of these processes is left 5 s from now."""
    pids = list(pids)
    eventually(lambda: not any(map(is_running, pids)), GONE_WITHIN_S, f"the end of {pids}")


def dev_command(data_dir: Path, *options: str) -> list[str]:
    """The command line, on any free port."""
    return [*COMMAND, "dev", "--data-dir", str(data_dir), "--port", "0", *options]


class Dev:
    """One `configsvc dev`, in a process group of its own as a shell would give it."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.ready_file = data_dir.parent / "ready.json"
        self.output = data_dir.parent / "output.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                dev_command(data_dir, "--ready-file", str(self.ready_file)),
                stdout=output,
                stderr=output,
                cwd=data_dir.parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the command itself."""
        return self.process.pid

    def pids(self) -> list[int]:
        """The command and everything below it."""
        return [self.pid, *descendants(self.pid)]

    def wait_ready(self) -> dict[str, Any]:
        """What the ready file says, once the terminal says so too (the file of a killed run may still be there)."""
        eventually(
            lambda: "In a third:" in self.said() or self.process.poll() is not None, START_WITHIN_S, "the ready text"
        )
        assert self.process.poll() is None, self.said()
        content: dict[str, Any] = json.loads(self.ready_file.read_text())
        return content

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal, as Ctrl-C does to the whole foreground group, and return its exit code."""
        os.killpg(self.pid, number)
        return self.process.wait(timeout=10)

    def said(self) -> str:
        """What it has written to its terminal."""
        return self.output.read_text()


def surroundings(**variables: str) -> dict[str, str]:
    """Our environment variables, with no other CONFIGSVC_* than these."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    return {**others, **variables}


def refusal(command: list[str], environ: dict[str, str] | None = None) -> str:
    """Run a command that must refuse: a failure, told in one line, without a stack trace. Returns the line."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environ)
    assert done.returncode != 0
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]
