"""Log lines about something that fails and works again, bounded however often it fails."""

import logging
import re
import time

from configsvc import meters

#: While it goes on failing: often enough to be seen at the end of a log, rare enough not to fill it.
_REPEAT_S = 10.0
_NO_WORD = re.compile(r"\W+")


class FaultLog:
    """One line for the first failure, then at most one every 10 s, and one when it works again."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        """``what`` begins every line, and is (in small letters) the part that is counted."""
        self._log = log
        self._count = meters.faults.labels(_NO_WORD.sub("_", what.lower()))
        self._what = what
        self._since: float | None = None
        self._last_line_at = 0.0

    @property
    def failing(self) -> bool:
        """Whether it failed and has not worked since."""
        return self._since is not None

    def failed(self, error: Exception) -> None:
        """Note a failure."""
        self._count.inc()
        now = time.monotonic()
        if self._since is None:
            self._since = now
        elif now - self._last_line_at < _REPEAT_S:
            return
        self._last_line_at = now
        self._log.warning("%s fails: %s", self._what, " ".join(str(error).split()) or type(error).__name__)

    def worked(self) -> None:
        """Note a success."""
        if self._since is not None:
            self._log.warning("%s works again after %.1f s", self._what, time.monotonic() - self._since)
            self._since = None
