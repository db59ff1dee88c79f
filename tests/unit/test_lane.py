"""The lane: syncs a few at a time, everybody else at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from configsvc.api import lane
from configsvc.api.lane import Lane

LONG_S = 10.0
SYNC, OTHER = {"PATH_INFO": "/v1/sync"}, {"PATH_INFO": "/v1/me"}


class Turns:
    """The time of the lane: stands still until it is let go on."""

    def __init__(self) -> None:
        self.ended = threading.Semaphore(0)
        self.next = threading.Semaphore(0)

    def sleep(self, pause_s: float) -> None:
        """Wait for the next turn."""
        self.ended.release()
        assert self.next.acquire(timeout=LONG_S)


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Turns that the test gives."""
    turns = Turns()
    monkeypatch.setattr(lane, "time", turns)
    monkeypatch.setattr(lane, "_AT_A_TIME", 3)
    return turns


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Who asks."""
    with ThreadPoolExecutor(20) as threads:
        yield threads


def test_syncs_go_in_turns_and_others_at_once(turns: Turns, threads: ThreadPoolExecutor) -> None:
    """While syncs wait for their turns another call goes through; each turn lets the next few go; all get through."""
    lane = Lane(lambda environ, _: environ["PATH_INFO"])
    first = threads.submit(lane, SYNC, None)
    assert first.result(LONG_S) == "/v1/sync"
    assert turns.ended.acquire(timeout=LONG_S)
    syncs = [threads.submit(lane, SYNC, None) for _ in range(7)]
    while len(lane._waiting) < len(syncs):
        threading.Event().wait(0.001)
    assert lane(OTHER, None) == "/v1/me"
    assert not any(sync.done() for sync in syncs)
    for done in (3, 6, 7):
        turns.next.release()
        assert turns.ended.acquire(timeout=LONG_S)
        while sum(sync.done() for sync in syncs) < done:
            threading.Event().wait(0.001)
        assert sum(sync.done() for sync in syncs) == done
    turns.next.release()
    assert threads.submit(lane, SYNC, None).result(LONG_S) == "/v1/sync"
    turns.next.release()
