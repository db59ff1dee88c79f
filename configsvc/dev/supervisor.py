"""Keeps a set of programs running: starts them in waves, restarts what dies, stops them in the opposite order."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from configsvc.dev.part import Part
from configsvc.dev.process import Program, Spawner

#: How often the programs are looked at: a death is noticed within this time.
_TEND_EVERY_S = 0.1


class Supervisor:
    """Runs programs until ``stop``. If this process vanishes, so do they, within 5 s.

    Args:
        log_dir: one log per program; those of an earlier run are emptied, so that they don't grow for ever. Without
            it, programs write to our stderr.
        report: called with one line when a program dies.
        lock_fd: kept open until every program has ended, whatever happens to this process.
    """

    def __init__(self, log_dir: Path | None, report: Callable[[str], None], lock_fd: int | None = None) -> None:
        self._log_dir = log_dir
        self._report = report
        self._spawner = Spawner(lock_fd)
        self._waves: list[list[Part]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tend, name="configsvc-supervisor", daemon=True)
        self._thread.start()

    def start(self, *programs: Program) -> None:
        """Start these together and return when all of them answer."""
        wave = [self._part(program) for program in programs]
        self._waves.append(wave)
        for part in wave:
            part.launch()
        for part in wave:
            part.wait_ready()

    def part(self, name: str) -> Part:
        """The program of this name."""
        return next(part for wave in self._waves for part in wave if part.name == name)

    def remove_at_end(self, file: Path) -> None:
        """Have this file or folder removed when everything is stopped, or this process vanishes."""
        self._spawner.remove_at_end(file)

    def stop(self) -> None:
        """Stop everything, the last wave first, and return when all of it has ended. Twice is fine."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join()
        for wave in reversed(self._waves):
            for part in wave:
                part.ask_to_stop()
            for part in wave:
                part.wait_stopped()
        self._spawner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _part(self, program: Program) -> Part:
        if self._log_dir is None:
            return Part(program, self._spawner, None)
        log = self._log_dir / f"{program.name}.log"
        log.write_bytes(b"")
        log.chmod(0o600)
        return Part(program, self._spawner, log)

    def _tend(self) -> None:
        while not self._stopping.wait(_TEND_EVERY_S):
            for part in [part for wave in self._waves for part in wave]:
                if line := part.tend():
                    self._report(line)
