"""A watching client (``watcher.py``) as the test sees it: what it has shown so far, how it is, and its log."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos.runs import View

_WATCHER = Path(__file__).with_name("watcher.py")
_END_TIMEOUT_S = 5.0


class WatchingClient:
    """Starts the process; ``changed`` is notified whenever it says something."""

    def __init__(
        self, options: Mapping[str, Any], log: Path, changed: threading.Condition, environ: Mapping[str, str]
    ) -> None:
        self._log = log
        self._changed = changed
        self.views: list[View] = []
        self._shown: set[str] = set()
        self.states: list[tuple[str, str]] = []
        #: How far its wall clock was ahead of ours when it last showed something.
        self.clock_ahead_s = 0.0
        usual = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, str(_WATCHER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=usual | dict(environ),
            )
        assert self._process.stdin is not None
        # Not as arguments: they hold a token.
        self._process.stdin.write(json.dumps(options).encode() + b"\n")
        self._process.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def is_well(self) -> bool:
        """Whether it says that it is live; a client that only polls is so without push."""
        return bool(self.states) and self.states[-1][0] == "live"

    @property
    def transport(self) -> str:
        """How changes reach it now."""
        return self.states[-1][1] if self.states else "none"

    def has_shown(self, cursor: str) -> bool:
        """Whether it has shown this cursor, now or before."""
        return cursor in self._shown

    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text("utf-8", errors="replace")

    def describe(self) -> str:
        """Where it is, and the end of its log."""
        last = self.views[-1].cursor if self.views else "nothing shown"
        return f"{last}, {self.states[-5:]}\n    " + "\n    ".join(self.log().splitlines()[-8:])

    def freeze(self) -> None:
        """SIGSTOP."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo ``freeze``."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process, by force if need be."""
        self.resume()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                said = json.loads(line)
                with self._changed:
                    if "cursor" in said:
                        values = {(namespace, key): value for namespace, key, value in said["values"]}
                        self.views.append(View(said["at"], said["cursor"], values))
                        self._shown.add(said["cursor"])
                        self.clock_ahead_s = said["wall"] - time.time()
                    else:
                        self.states.append((said["state"], said["transport"]))
                    self._changed.notify_all()
