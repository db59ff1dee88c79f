"""Times are read as ISO 8601, in local time unless they say otherwise, and shown in local time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from configclient.cli._moments import local, parse_time


@pytest.fixture(autouse=True)
def far_from_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Five and a half hours east, without a table of zones."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "XST-5:30")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-17T15:00",
        "2026-11-17 15:00:00",
        "2026-11-17T09:30Z",
        "2026-11-17T10:30+01:00",
        "20261117T150000",
        "2026-11-17T15:00:00.000000+05:30",
    ],
)
def test_a_time_with_a_zone_or_in_local_time(text: str) -> None:
    """All of these are the same moment."""
    assert parse_time(text) == datetime(2026, 11, 17, 9, 30, tzinfo=UTC)


def test_a_date_is_its_midnight() -> None:
    """The state at the beginning of that day, where the user is."""
    assert parse_time("2026-11-17") == datetime(2026, 11, 16, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "15:00", "41", "2026-02-30", "2026-11-17T25:00", "0001-01-01"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    """Also dates that are none, and those that local time does not reach."""
    with pytest.raises(ValueError, match="is no time; write it like 2026-"):
        parse_time(text)


def test_a_shown_time_is_local_and_exact() -> None:
    """With its offset and all its digits, so that it can be typed back and means the same moment."""
    shown = local("2026-11-17T09:30:00.000001Z")
    assert shown == "2026-11-17T15:00:00.000001+05:30"
    assert parse_time(shown) == datetime(2026, 11, 17, 9, 30, 0, 1, tzinfo=UTC)
