"""How every process of ours writes its log: one line of JSON or text for each message, with the id of its request, and
few lines of one kind however often something fails.

Only the standard library: gunicorn reads this before gevent has patched it.
"""

import json
import logging
import re
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

LogFormat = Literal["json", "text"]

#: Of one kind of warning or error. What fails with every request is one fact, and thousands of lines hide all others.
BURST_MAX = 5
#: After a burst, one line in this time, and how many were left out.
WINDOW_S = 10.0
#: Kinds told apart; beyond it those of one logger are one kind, so that a text of variable parts is bounded, too.
KINDS_MAX = 200
_TEMPLATE_CHARS_MAX = 200

#: Where in a WSGI environment the app says by which route a request came, for the line that tells of its answer.
ROUTE = "configsvc.route"

#: Lines that Postgres adds to its message. They quote rows, and with them values.
_POSTGRES_QUOTES = re.compile(r"\n(?:DETAIL|CONTEXT|QUERY|LINE \d+|HINT):.*(?:\n[ \t].*)*")

_request: ContextVar[tuple[int, str]] = ContextVar("configsvc_request", default=(0, ""))


def about(request_id: str) -> None:
    """Let the lines that this thread or greenlet logs from now on be of this request; "": of none."""
    # With its owner, because a greenlet that a request starts is given the request's context, and goes on without it.
    _request.set((threading.get_ident(), request_id))


def configure(level: str, log_format: LogFormat) -> None:
    """Write all logs of this process to standard error. ``level``: ``debug``, ``info``, ``warning`` or ``error``."""
    handler = _Handler()
    handler.setFormatter(_JsonLines() if log_format == "json" else _TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _JsonLines(logging.Formatter):
    """One JSON object a line. What a message is made of stands in ``fields`` where it is worth looking for."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _POSTGRES_QUOTES.sub("", record.getMessage()),
        }
        if given := _request_of(record):
            line["request_id"] = given
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        return _POSTGRES_QUOTES.sub("", super().formatException(ei))


class _TextLines(_JsonLines):
    """For people: a line, and below it the stack trace of a bug."""

    def format(self, record: logging.LogRecord) -> str:
        message = _POSTGRES_QUOTES.sub("", record.getMessage())
        parts = [_time(record), f"[{record.process}]", f"[{record.levelname}]", f"{record.name}: {message}"]
        parts += [f"{name}={value}" for name, value in getattr(record, "fields", {}).items()]
        if given := _request_of(record):
            parts.append(f"request_id={given}")
        error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return " ".join(parts) + error


def _request_of(record: logging.LogRecord) -> str:
    owner, given = _request.get()
    return given if owner == threading.get_ident() and not getattr(record, "of_many", False) else ""


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class _Kind:
    """Lines of one kind since a moment: how many may still be written, and how many were left out."""

    since: float
    example: logging.LogRecord
    left: int = BURST_MAX
    left_out: int = 0


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """Writes to standard error, and leaves out warnings and errors of one kind beyond the bounds above."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[object, _Kind] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or count it. Called with the handler's lock held."""
        now = time.monotonic()
        self._tell(until=now - WINDOW_S)
        if record.levelno < logging.WARNING or self._take(record, now):
            super().emit(record)

    def close(self) -> None:
        """Say what was left out until now."""
        with self.lock or threading.Lock():
            self._tell(until=float("inf"))
        super().close()

    def _take(self, record: logging.LogRecord, now: float) -> bool:
        name = _kind(record)
        if name not in self._kinds and len(self._kinds) >= KINDS_MAX:
            name = record.name
        kind = self._kinds.setdefault(name, _Kind(now, record))
        if kind.left == 0:
            kind.left_out += 1
            return False
        kind.left -= 1
        return True

    def _tell(self, until: float) -> None:
        """Close the windows that began before a moment. What went on in one has only a single line in the next."""
        for name, kind in [item for item in self._kinds.items() if item[1].since <= until]:
            if kind.left_out == 0:
                del self._kinds[name]
                continue
            super().emit(_left_out(kind))
            self._kinds[name] = _Kind(time.monotonic(), kind.example, left=1)


def _kind(record: logging.LogRecord) -> object:
    """Messages are of one kind by their template, and those of bugs by their places, too."""
    error = record.exc_info[1] if record.exc_info else None
    trace = error.__traceback__ if error is not None else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace is not None else None
    return record.name, record.levelno, str(record.msg), type(error), place


def _left_out(kind: _Kind) -> logging.LogRecord:
    example = kind.example
    text = f"{kind.left_out} more lines like this were left out: {str(example.msg)[:_TEMPLATE_CHARS_MAX]}"
    return logging.makeLogRecord(
        {"name": example.name, "levelno": example.levelno, "levelname": example.levelname, "msg": text, "of_many": True}
    )
