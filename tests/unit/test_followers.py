"""Those who follow from one place wait as one."""

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any, cast

import pytest

from configsvc.domain.sse import HEARTBEAT
from configsvc.errors import Unavailable
from configsvc.service.access import Caller, Identity
from configsvc.service.followers import Follower, Followers, Place
from configsvc.service.holds import Holds
from configsvc.service.sync import Sync
from configsvc.store.audit import Origin

CALLER = Caller(Identity("1", "a", "a", None, ()), Origin("a", "", ""))
PLACE = Place("1", "payments", "staging", "1.a")
HOUR_S = 3_600.0
LONG_S = 10.0


class Told:
    """A sink, and what came to it."""

    def __init__(self) -> None:
        self.came: SimpleQueue[bytes] = SimpleQueue()
        self.gone = False

    def send(self, data: bytes) -> bool:
        """Note it."""
        if not self.gone:
            self.came.put(data)
        return not self.gone

    def close(self) -> None:
        """Note the end."""
        if not self.gone:
            self.gone = True
            self.came.put(b"end")


class News:
    """A sync whose news are made by hand: a cursor and a text, or an error."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[str] = SimpleQueue()
        self.next: SimpleQueue[tuple[str, str] | Exception] = SimpleQueue()

    def follow(self, _: object, namespace: str, env: str, cursor: str, *more: object) -> tuple[str, str]:
        """Say from where somebody waits, and wait."""
        self.asked.put(cursor)
        news = self.next.get(timeout=LONG_S)
        if isinstance(news, Exception):
            raise news
        return news


@pytest.fixture
def news() -> Iterator[News]:
    """What happens. At the end nobody waits any more."""
    made = News()
    yield made
    for _ in range(5):
        made.next.put(Unavailable("over"))


def join(followers: Followers, place: Place = PLACE) -> Told:
    """Let one more follow, for an hour."""
    told = Told()
    follower = Follower(told, time.monotonic() + HOUR_S, lambda: None)
    followers.join(CALLER, cast("Any", None), place, follower)
    return told


def test_one_wait_is_for_all_at_one_place(news: News) -> None:
    """Whoever comes while others wait there waits with them; who comes from elsewhere, after the next release."""
    followers = Followers(cast("Sync", news), Holds(10), cast("Any", None))
    first = join(followers)
    assert news.asked.get(timeout=LONG_S) == "1.a"
    second = join(followers)
    assert news.asked.empty(), "one look is for both"
    news.next.put(("2.b", "two"))
    assert [each.came.get(timeout=LONG_S) for each in (first, second)] == [b"two"] * 2
    assert news.asked.get(timeout=LONG_S) == "2.b"
    third = join(followers, PLACE._replace(cursor="2.b"))
    news.next.put(("3.c", "three"))
    assert [each.came.get(timeout=LONG_S) for each in (first, second, third)] == [b"three"] * 3
    assert news.asked.get(timeout=LONG_S) == "3.c"
    assert [thread.name for thread in threading.enumerate()].count("configsvc-follow") == 1


def test_what_ends_the_wait_ends_all(news: News) -> None:
    """Each hears why, and its place is free again."""
    followers = Followers(cast("Sync", news), Holds(2), cast("Any", None))
    both = [join(followers) for _ in range(2)]
    assert join(followers).came.get(timeout=LONG_S).startswith(b"event: end"), "there is no third place"
    news.next.put(Unavailable("away"))
    for told in both:
        assert b"unavailable" in told.came.get(timeout=LONG_S)
        assert told.came.get(timeout=LONG_S) == b"end"
    again = join(followers)
    news.next.put(("2.b", "two"))
    assert again.came.get(timeout=LONG_S) == b"two"


def test_one_that_is_gone_takes_nobody_along(news: News) -> None:
    """Those who followed with it go on, and its place is free again."""
    followers = Followers(cast("Sync", news), Holds(2), cast("Any", None))
    gone, stays = join(followers), join(followers)
    gone.gone = True
    for cursor, text in (("2.b", "two"), ("3.c", "three")):
        news.next.put((cursor, text))
        assert stays.came.get(timeout=LONG_S) == text.encode()
    comes = join(followers, PLACE._replace(cursor="3.c"))
    news.next.put(("4.d", "four"))
    assert [each.came.get(timeout=LONG_S) for each in (stays, comes)] == [b"four"] * 2
    assert gone.came.empty()


def test_releases_of_other_namespaces_say_nothing(news: News) -> None:
    """Not even a comment: most releases of an environment are of others. The wait goes on from there."""
    followers = Followers(cast("Sync", news), Holds(1), cast("Any", None))
    told = join(followers)
    news.next.put(("2.b", HEARTBEAT))
    news.next.put(("3.c", "three"))
    assert told.came.get(timeout=LONG_S) == b"three"
    assert [news.asked.get(timeout=LONG_S) for _ in range(3)] == ["1.a", "2.b", "3.c"]
