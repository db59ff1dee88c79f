"""The one HTTP call, against the double: how long an answer may take."""

import itertools
from collections.abc import Callable

import pytest

from configclient._settings import read_settings
from configclient._sync import BODY_BYTES_PER_S_MIN, SyncApi, SyncFailed, _retry_after_s

from .double import TOKEN, Canned, ServiceDouble


@pytest.fixture
def api(service: ServiceDouble) -> Callable[[float], SyncApi]:
    """An API whose clock goes on by some seconds whenever it is looked at."""

    def make(step_s: float) -> SyncApi:
        settings = read_settings(
            *("checkout", "production", ["payments"]),
            url=service.url,
            token=TOKEN,
            poll_interval_s=10,
            start_timeout_s=5,
            push=False,
            ca_file=None,
            cache_dir=None,
        )
        ticks = itertools.count(0, step_s)
        return SyncApi(settings, lambda: next(ticks))

    return make


def test_a_body_that_drips_is_given_up(service: ServiceDouble, api: Callable[[float], SyncApi]) -> None:
    """Ten bytes in five seconds are no answer: the next poll has to start in time."""
    service.canned.append(Canned(200, b" " * 10))
    slow = api(5.0)
    with pytest.raises(SyncFailed, match="KiB/s"):
        slow.post({}, 0)
    slow.close()


def test_a_large_body_may_take_its_time(service: ServiceDouble, api: Callable[[float], SyncApi]) -> None:
    """A whole scope over a thin line arrives, however long it takes at the least rate."""
    body = b" " * (64 * BODY_BYTES_PER_S_MIN)
    service.canned.append(Canned(200, body))
    thin = api(0.05)
    assert thin.post({}, 0) == body
    thin.close()


@pytest.mark.parametrize(
    ("header", "date", "expected_s"),
    [
        ("7", "Sat, 21 Nov 2026 10:00:00 GMT", 7.0),
        ("Sat, 21 Nov 2026 10:00:05 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", 5.0),
        ("Sat, 21 Nov 2026 09:00:00 GMT", "Sat, 21 Nov 2026 10:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 10:00:05 GMT", "today", None),
        ("soon", "Sat, 21 Nov 2026 10:00:00 GMT", None),
        ("", "Sat, 21 Nov 2026 10:00:00 GMT", None),
    ],
)
def test_a_moment_to_ask_again_is_one_of_the_servers_clock(header: str, date: str, expected_s: float | None) -> None:
    """Retry-After with a date counts from the answer's own date, whatever our clock shows; nonsense counts as none."""
    assert _retry_after_s({"Retry-After": header, "Date": date}) == expected_s
