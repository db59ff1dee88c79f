"""The shop's applications: four processes, and what they report."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from examples.demo.shop import Committed

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("checkout", "storefront", "search-api", "worker")
STOP_TIMEOUT_S = 10.0


class Application:
    """One process, and the events that it has reported so far."""

    def __init__(self, service: str, environ: dict[str, str], log: Path, heard: threading.Condition) -> None:
        self.service = service
        self.log = log
        self.events: list[dict[str, Any]] = []
        self.transport = "none"
        self.transport_at_ns = 0
        self.ended = False
        self._heard = heard
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "examples.demo.app", service],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C is for the demo; an application ends when its standard input does
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if event["event"] == kind]

    def arrived_ns(self, committed: Committed) -> int | None:
        """When the last change of a release was seen here; ``None`` while one is missing."""
        seen = [self._saw(change, committed.revision) for change in committed.release.changes]
        return max((at_ns for at_ns in seen if at_ns is not None), default=None) if None not in seen else None

    def stop(self) -> None:
        """End the application, and read what it has to say."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)

    def _saw(self, change: dict[str, Any], revision: int) -> int | None:
        for event in reversed(self.of("change")):
            same_key = (event["namespace"], event["key"]) == (change["namespace"], change["key"])
            if same_key and event["value"] == change["value"] and event["revision"] >= revision:
                return int(event["at_ns"])
        return None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                event = json.loads(line)
                with self._heard:
                    self.events.append(event)
                    if event["event"] == "transport":
                        self.transport, self.transport_at_ns = event["transport"], event["at_ns"]
                    self._heard.notify_all()
        with self._heard:
            self.ended = True
            self._heard.notify_all()


class Fleet:
    """All applications. A context manager: they end with it."""

    def __init__(self, url: str, token: str, log_dir: Path) -> None:
        self._heard = threading.Condition()
        environ = os.environ | {"CONFIGSVC_URL": url, "CONFIGSVC_TOKEN": token}
        self.applications = [
            Application(service, environ, log_dir / f"{service}.log", self._heard) for service in SERVICES
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End all applications; stopping twice is fine."""
        for application in self.applications:
            application.stop()

    def arrivals_ns(self, committed: Committed, timeout_s: float) -> list[int | None]:
        """When each application showed the whole release; ``None`` for one that did not in this time."""
        self.wait(lambda application: application.arrived_ns(committed) is not None, timeout_s)
        return [application.arrived_ns(committed) for application in self.applications]

    def wait(self, done: Callable[[Application], bool], timeout_s: float) -> bool:
        """Until ``done`` is true of every application that still runs; whether it became so for all, in this time."""
        deadline = time.monotonic() + timeout_s
        with self._heard:
            while not all(done(application) or application.ended for application in self.applications):
                if not self._heard.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    break
            return all(done(application) for application in self.applications)
