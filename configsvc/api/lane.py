"""A lane for syncs: a few at a time, and between them whoever else asks is served.

Thousands of clients that poll may keep a worker busy all the time. They can wait for a moment more; a person, a
pipeline and a readiness probe should not have to wait until all of them are through.
"""

import threading
import time
from collections import deque
from typing import Any

from configsvc.api.sync import PATH

#: Some milliseconds: what others may have to wait for.
_AT_A_TIME = 10
#: Long enough for the loop to look for other requests.
_LOOK_ROUND_S = 0.0005


class Lane:
    """A WSGI application before another one. Plain ``threading``: patched by gevent, all that waits is greenlets."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._moving = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve a request when it is its turn."""
        if environ["PATH_INFO"] == PATH:
            self._wait()
        return self._app(environ, start_response)

    def _wait(self) -> None:
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
            if not self._moving:
                self._moving = True
                threading.Thread(target=self._move, name="configsvc-lane", daemon=True).start()
        turn.wait()

    def _move(self) -> None:
        while True:
            with self._lock:
                some = [self._waiting.popleft() for _ in range(min(_AT_A_TIME, len(self._waiting)))]
                if not some:
                    self._moving = False
                    return
            for turn in some:
                turn.set()
            time.sleep(_LOOK_ROUND_S)
