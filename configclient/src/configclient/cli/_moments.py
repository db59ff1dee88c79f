"""Times: what people type → a moment → what people read. PURE, given the machine's time zone."""

import re
from datetime import UTC, datetime, timedelta

# How long something shall last.
SPAN = re.compile(r"([1-9][0-9]{0,4})([hdw])")
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

EXAMPLES = "2026-11-17T15:00 (local time) or 2026-11-17T14:00Z"


def parse_time(text: str) -> datetime:
    """The moment that ``text`` names: ISO 8601 with a zone, or without one in local time; a bare date is its midnight.

    Raises :class:`ValueError` when it names none.
    """
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # the last two: local time does not reach that far
        raise ValueError(f"{text!r} is no time; write it like {EXAMPLES}") from None


def parse_expiry(text: str, now: datetime) -> datetime:
    """The end of a span that begins ``now`` (12h, 90d, 4w), or a time. Raises :class:`ValueError`."""
    if match := SPAN.fullmatch(text):
        return now + int(match[1]) * UNITS[match[2]]
    return parse_time(text)


def local(moment: datetime | str) -> str:
    """A moment, or a time of an answer, in local time with its offset.

    With all its microseconds and in one word, so that ``--at`` with a time of the history means just that release.
    """
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return moment.astimezone().isoformat(timespec="microseconds")
