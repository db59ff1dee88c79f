"""One supervised program: what it is doing, what it should be doing, and when to try again."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

from configsvc.dev.process import Program, Spawner, descendants, signal_group
from configsvc.errors import SetupError

#: Between a death and the next start. A program that can't start must not eat the machine.
_BACKOFF_MIN_S = 0.2
_BACKOFF_MAX_S = 5.0
#: Up for this long, a program has recovered: its next death is a first one.
_SETTLED_S = 10.0
#: A program that never answered and died this often won't get there by itself.
_FAILURES_AT_START_MAX = 5
_START_TIMEOUT_S = 30.0
_POLL_S = 0.05
_PYTHON_ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
#: Of a log line repeated on the terminal.
_SUMMARY_CHARS_MAX = 200


class Part:
    """A program of the stack. All methods may be called from any thread."""

    def __init__(self, program: Program, spawner: Spawner, log: Path | None) -> None:
        self.name = program.name
        self._log = log
        self._program = program
        self._spawner = spawner
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False
        self._failures = 0
        self._started_at = 0.0
        self._next_start_at = 0.0

    @property
    def pid(self) -> int | None:
        """Of the running program (its group has the same number), None while it is down."""
        with self._lock:
            return None if self._process is None else self._process.pid

    def launch(self) -> None:
        """Start it if it is down, without waiting until it answers."""
        with self._lock:
            self._wanted = True
            self._failures = 0
            if self._process is None:
                self._spawn()

    def start(self) -> None:
        """Start it if it is down, and return when it answers."""
        self.launch()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Return when it answers.

        Raises:
            SetupError: it does not get there; says what its log says last.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while self.pid is None or not self._program.answers():
            if self._failures >= _FAILURES_AT_START_MAX or time.monotonic() > deadline:
                raise SetupError(f"{self.name} does not start{self._last_words()}{self._where()}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it gracefully, by force after its time; it stays down until it is started again."""
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        """Send its stop signal and return; ``wait_stopped`` does the rest."""
        with self._lock:
            self._wanted = False
            if self._process is not None:
                os.kill(self._process.pid, self._program.stop_signal)
                self._signal_all(signal.SIGCONT)

    def wait_stopped(self) -> None:
        """Return when it has ended, killed if it takes longer than its time."""
        with self._lock:
            if self._process is None:
                return
            try:
                self._process.wait(self._program.stop_timeout_s)
            except subprocess.TimeoutExpired:
                self._signal_all(signal.SIGKILL)
            self._bury()

    def kill(self, *, restart: bool = True) -> None:
        """End it by SIGKILL, now. With ``restart=False`` it stays down until it is started again."""
        with self._lock:
            self._wanted = self._wanted and restart
            if self._process is not None:
                self._signal_all(signal.SIGKILL)
                if not restart:
                    self._bury()

    def freeze(self) -> None:
        """Stop its clock (SIGSTOP for all its processes): it is there, and does nothing."""
        with self._lock:
            self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``freeze``."""
        with self._lock:
            self._signal_all(signal.SIGCONT)

    def tend(self) -> str | None:
        """Bury it when it has died, start it again when its time has come; returns what to report, if anything."""
        with self._lock:
            now = time.monotonic()
            if self._process is not None:
                return self._note_death(now) if self._process.poll() is not None else None
            if self._wanted and now >= self._next_start_at:
                self._spawn()
            return None

    def _spawn(self) -> None:
        self._started_at = time.monotonic()
        self._process = self._spawner.spawn(self._program, self._log)

    def _note_death(self, now: float) -> str | None:
        assert self._process is not None
        exit_code = self._process.returncode
        how = _how_it_ended(exit_code)
        self._bury()
        if not self._wanted:
            return None
        self._failures = 1 if now - self._started_at > _SETTLED_S else self._failures + 1
        wait_s = min(_BACKOFF_MAX_S, _BACKOFF_MIN_S * 2 ** (self._failures - 1))
        self._next_start_at = now + wait_s
        # Who is killed has no last words: its last line is from better days.
        why = self._last_words() if exit_code > 0 else ""
        return f"{self.name} {how}{why}; starting it again in {wait_s:.1f} s{self._where()}"

    def _bury(self) -> None:
        """Take the dead process off all lists, and with it what it left behind in its group."""
        assert self._process is not None
        self._process.wait()
        signal_group(self._process.pid, signal.SIGKILL)
        self._spawner.forget(self._process.pid)
        self._process = None

    def _signal_all(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        pid = self._process.pid
        # The leader first: a stopped one starts no further processes.
        signal_group(pid, number)
        for child in descendants(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    def _where(self) -> str:
        return f" (log: {self._log})" if self._log else ""

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").splitlines() if self._log else []
        told = [line.strip() for line in reversed(lines) if line.strip()]
        # A traceback's last line says more than what is logged after it.
        why = next(filter(_PYTHON_ERROR.match, told), told[0] if told else "")
        return f": {why[:_SUMMARY_CHARS_MAX]}" if why else ""


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with exit code {returncode}"
