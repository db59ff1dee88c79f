"""The log's lines: their shape, whose they are, and how many there are."""

import io
import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from configsvc import logs


class Log:
    """What was written to standard error."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def lines(self) -> list[dict[str, Any]]:
        """Each line, read as JSON."""
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]

    def messages(self) -> list[str]:
        """What the lines say."""
        return [line["message"] for line in self.lines()]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """The log of this process, as JSON."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("info", "json")
    logs.about("")  # another test's request may have been the last one here
    yield Log(stream)
    root.handlers[:] = handlers
    root.setLevel(level)
    logs.about("")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets forward: its one number is the time."""
    now = [1000.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    return now


log = logging.getLogger("configsvc.test")


def test_a_line_says_when_who_and_what(written: Log) -> None:
    """Time in UTC, level, logger, process and message; no request where there is none."""
    log.info("%s\nof two lines", "a message")
    [line] = written.lines()
    assert line.keys() == {"time", "level", "logger", "pid", "message"}
    assert (line["level"], line["logger"], line["message"]) == (
        "info",
        "configsvc.test",
        "a message\nof two lines",
    )
    assert line["time"].endswith("Z")


def test_a_line_names_its_request_and_no_other(written: Log) -> None:
    """What another thread says, even one that the request has started, is not of this request."""
    logs.about("abc")
    log.info("mine")
    thread = threading.Thread(target=log.info, args=("another's",))
    thread.start()
    thread.join()
    logs.about("")
    log.info("nobody's")
    assert [line.get("request_id") for line in written.lines()] == ["abc", None, None]


def test_a_bug_is_shown_without_what_postgres_quotes(written: Log) -> None:
    """The stack trace stays; the rows and statements that Postgres adds to an error do not, whatever is in them."""
    told = 'violates a check\nDETAIL:  Failing row contains (hunter2).\nCONTEXT:  SQL function "f" hunter2\n\thunter2'

    def fail() -> None:
        raise RuntimeError(told)

    try:
        fail()
    except RuntimeError:
        log.exception("it failed: %s", told)
    [line] = written.lines()
    assert "hunter2" not in json.dumps(line)
    assert line["message"] == "it failed: violates a check"
    assert "test_logs.py" in line["error"]


def test_one_kind_of_failure_writes_few_lines_and_says_how_many_it_left_out(written: Log, clock: list[float]) -> None:
    """A burst at first, one line in each window after it, and with each the number of those between."""
    for _ in range(5):
        for number in range(1000):
            log.warning("failed: %d", number)
        clock[0] += logs.WINDOW_S
    log.info("something else")
    told = written.messages()
    assert told[:5] == [f"failed: {number}" for number in range(5)]
    assert told[5:] == [
        "995 more lines like this were left out: failed: %d",
        *["failed: 0", "999 more lines like this were left out: failed: %d"] * 4,
        "something else",
    ]


def test_what_was_left_out_is_said_at_the_end(written: Log) -> None:
    """A process that ends in the middle of a flood counts what it has not written."""
    for _ in range(12):
        log.error("failed")
    logging.getLogger().handlers[0].close()
    assert written.messages()[-1] == "7 more lines like this were left out: failed"


def test_a_flood_hides_nothing_of_another_kind(written: Log) -> None:
    """Other messages, levels and loggers, and bugs at other places, have bounds of their own."""
    for _ in range(100):
        log.warning("a flood")
    for number in range(2):
        try:
            [][number] if number else {}["key"]
        except LookupError:
            log.exception("a bug")
    log.error("a flood")
    logging.getLogger("configsvc.other").warning("a flood")
    assert len(written.messages()) == logs.BURST_MAX + 4


def test_news_is_not_bounded(written: Log) -> None:
    """What is no warning is asked for by the level, and written."""
    for _ in range(100):
        log.info("news")
    assert len(written.messages()) == 100


def test_texts_without_a_template_are_bounded_together(written: Log) -> None:
    """A library that puts everything into its message makes no kind of each, and the memory of kinds is bounded."""
    for number in range(10 * logs.KINDS_MAX):
        log.warning(f"failed: {number}")  # noqa: G004  # this is what it is about
    assert len(written.messages()) == logs.KINDS_MAX + logs.BURST_MAX
