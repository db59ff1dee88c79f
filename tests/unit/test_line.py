"""A line: all are let go, a few at a time, and nobody waits after that."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from configsvc.delivery import line
from configsvc.delivery.line import Line

LONG_S = 10.0


def test_all_are_let_go_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits goes, about so many at a time; who comes later does not wait."""
    waiting, turns = Line(), 0

    def look_round(pause_s: float) -> None:
        nonlocal turns
        turns += 1

    monkeypatch.setattr(line.time, "sleep", look_round)
    with ThreadPoolExecutor(100) as threads:
        held = [threads.submit(waiting.wait, LONG_S) for _ in range(100)]
        while waiting._waiting < 100:
            threading.Event().wait(0.001)
        waiting.let_go(10)
        assert all(each.result(LONG_S) for each in held)
    assert turns == 10
    assert waiting.wait(0)


def test_a_few_go_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fewer wait than one turn takes there is one turn, and none where nobody does."""
    pauses: list[float] = []
    monkeypatch.setattr(line.time, "sleep", pauses.append)
    Line().let_go(10)
    assert not pauses
    waiting = Line()
    with ThreadPoolExecutor(3) as threads:
        held = [threads.submit(waiting.wait, LONG_S) for _ in range(3)]
        while waiting._waiting < 3:
            threading.Event().wait(0.001)
        waiting.let_go(10)
        assert all(each.result(LONG_S) for each in held)
    assert len(pauses) == 1


def test_a_wait_ends_in_time() -> None:
    """Who is not let go in time is told so, and is nobody who waits."""
    waiting = Line()
    assert not waiting.wait(0.01)
    assert waiting._waiting == 0
