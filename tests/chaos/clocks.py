"""A wall clock that can be stepped under processes that run, by libfaketime; their monotonic clock is the real one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

HOUR_S = 3600
#: libfaketime 0.9.10 refuses every sleep by the monotonic clock, which is how Python sleeps.
_SITECUSTOMIZE = """
import select, time
wait = select.select
time.sleep = lambda duration_s: wait([], [], [], duration_s)
"""
_LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))

needs_faketime = pytest.mark.skipif(not _LIBRARIES, reason="needs libfaketime (Debian's package faketime)")


class Clock:
    """The wall clock of every process that is started with ``environ``, or by the words of ``wrapper``."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._python = folder / "python"
        self._python.mkdir()
        (self._python / "sitecustomize.py").write_text(_SITECUSTOMIZE, "utf-8")
        self.ahead_s = 0
        self.set(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Remove what the library has left in shared memory for processes that were killed."""
        for left_over in Path("/dev/shm").glob("*faketime_*_*"):  # where it puts it
            pid = left_over.name.rpartition("_")[2]
            if not Path("/proc", pid).exists():
                left_over.unlink(missing_ok=True)

    @property
    def wrapper(self) -> Sequence[str]:
        """What makes a command run by this clock."""
        return ["env", *(f"{name}={value}" for name, value in self.environ.items())]

    @property
    def environ(self) -> Mapping[str, str]:
        """What a process needs in its environment."""
        return {
            "LD_PRELOAD": str(_LIBRARIES[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "PYTHONPATH": str(self._python),
        }

    def set(self, ahead_s: int) -> None:
        """Make it show this many seconds more than it is."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead_s:+d}\n", "ascii")
        new.chmod(0o644)
        new.replace(self._file)
        self.ahead_s = ahead_s

    def is_shown(self, ahead_s: float) -> bool:
        """Whether this is what it was set to, as near as two looks at different clocks can tell."""
        return abs(ahead_s - self.ahead_s) < HOUR_S / 2
