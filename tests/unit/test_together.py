"""One look-up for all who ask at the same time, and never one that began before they asked."""

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from configsvc import together as module
from configsvc.errors import Unavailable
from configsvc.together import Together

LONG_S = 10.0


class Slow:
    """A look-up that counts, and answers when it is let."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.began = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.calls: list[str] = []

    def __call__(self, key: str) -> int:
        """Return how many look-ups have begun, this one included; fail for the keys ``bad`` and ``down``."""
        number = next(self._numbers)
        self.calls.append(key)
        self.began.release()
        assert self.let.acquire(timeout=LONG_S)
        if key == "bad":
            raise LookupError(key)
        if key == "down":
            raise Unavailable(key)
        return number


class Noted(str):
    """A key that notes which threads have come with it: whoever asks looks first whether it is known."""

    def __init__(self, _: str) -> None:
        self.came = set[int]()

    def __hash__(self) -> int:
        """Return the text's."""
        self.came.add(threading.get_ident())
        return super().__hash__()

    def wait_for(self, count: int) -> None:
        """Return when so many threads have come."""
        deadline = time.monotonic() + LONG_S
        while len(self.came) < count:
            assert time.monotonic() < deadline


def ask(threads: ThreadPoolExecutor, together: Together[str, int], key: str, count: int) -> list[Future[int]]:
    """Ask so many times at once; return when each is about to wait."""
    ready = threading.Barrier(count + 1)

    def one() -> int:
        ready.wait(LONG_S)
        return together(key)

    asked = [threads.submit(one) for _ in range(count)]
    ready.wait(LONG_S)
    return asked


def test_who_comes_during_a_look_up_shares_the_next() -> None:
    """The first is alone; all who came while it ran get one answer, of a look-up that began after they came."""
    slow = Slow()
    together = Together[str, int](slow)
    with ThreadPoolExecutor(30) as threads:
        first = threads.submit(together, "a")
        assert slow.began.acquire(timeout=LONG_S)
        key = Noted("a")
        others = ask(threads, together, key, 20)
        key.wait_for(len(others))
        slow.let.release()
        assert first.result(LONG_S) == 1
        slow.let.release(len(others))
        answers = [other.result(LONG_S) for other in others]
    assert min(answers) > 1, "nobody got what was read before he came"
    assert len(slow.calls) < len(others), "they did not look up one by one"


def test_keys_are_looked_up_for_themselves() -> None:
    """One that takes long holds up no other."""
    slow = Slow()
    together = Together[str, int](slow)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(together, key) for key in ("a", "b")]
        for _ in asked:
            assert slow.began.acquire(timeout=LONG_S)
        slow.let.release(2)
        assert sorted(each.result(LONG_S) for each in asked) == [1, 2]


def test_an_error_is_everybodys_and_not_for_ever() -> None:
    """All who wait for a failing look-up hear of it; the next one is tried."""
    slow = Slow()
    together = Together[str, int](slow)
    with ThreadPoolExecutor(10) as threads:
        slow.let.release(10)
        for asked in (ask(threads, together, "bad", 5), ask(threads, together, "bad", 1)):
            for each in asked:
                with pytest.raises(LookupError):
                    each.result(LONG_S)
        slow.let.release(10)
        assert together("good") == len(slow.calls)


def test_who_is_content_with_something_older_takes_it() -> None:
    """A look-up that began after the moment named is shared, over or not; one that began before is not."""
    slow = Slow()
    together = Together[str, int](slow)
    before = time.monotonic()
    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(together, "a", before)]
        assert slow.began.acquire(timeout=LONG_S)
        running.append(threads.submit(together, "a", before))
        slow.let.release()
        assert [each.result(LONG_S) for each in running] == [1, 1]
        assert together("a", before) == 1
        after = time.monotonic()
        slow.let.release()
        assert together("a", after) == 2
        assert together("a", before) == 2


def test_an_error_is_not_remembered() -> None:
    """Whoever would be content with something older does not get an older error."""
    slow = Slow()
    together = Together[str, int](slow)
    before = time.monotonic()
    slow.let.release(2)
    for _ in range(2):
        with pytest.raises(LookupError):
            together("bad", before)
    assert slow.calls == ["bad", "bad"]


@pytest.mark.parametrize(("patience_s", "look_ups"), [(0.0, 1), (LONG_S, 2)])
def test_who_has_waited_long_for_a_database_that_is_down_waits_no_second_time(
    monkeypatch: pytest.MonkeyPatch, patience_s: float, look_ups: int
) -> None:
    """Two waits in a row would be longer than an answer may take; after a short one it is worth another try."""
    monkeypatch.setattr(module, "PATIENCE_S", patience_s)
    slow = Slow()
    together = Together[str, int](slow)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(together, "down")
        assert slow.began.acquire(timeout=LONG_S)
        key = Noted("down")
        others = ask(threads, together, key, 2)
        key.wait_for(len(others))
        slow.let.release(2)
        for asked in (first, *others):
            with pytest.raises(Unavailable):
                asked.result(LONG_S)
    assert len(slow.calls) == look_ups
