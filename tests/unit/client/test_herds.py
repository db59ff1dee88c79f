"""A thousand clients at once, simulated: their schedules, a clock that we turn, and a service that counts arrivals."""

import functools
import heapq
import itertools
import random
from collections.abc import Callable

import pytest

from configclient._schedule import Schedule

CLIENTS = 1000
DOWN_AT, UP_AT = 200.0, 230.0
WINDOW_S = 0.1
LATENCY_S = 0.005


class Herd:
    """Clients that were started over a minute. `push`: they hear heartbeats all the time; otherwise they poll."""

    def __init__(self, *, push: bool, seed: int, next_sync_s: float = 30.0) -> None:
        self.random = random.Random(seed)
        self.push = push
        self.next_sync_s = next_sync_s
        self.refuses: Callable[[float], float | None] = lambda _: None
        self.arrivals: list[tuple[float, int]] = []
        self.plans = [Schedule(10.0, self.random.random) for _ in range(CLIENTS)]
        self.dirty = [True] * CLIENTS
        self._in_flight: set[int] = set()
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, int, Callable[[float, int], None]]] = []
        for client, plan in enumerate(self.plans):
            born = 60 * self.random.random()
            plan.hurry(born)
            self._at(born, client, self._look)

    def _at(self, when: float, client: int, action: Callable[[float, int], None]) -> None:
        heapq.heappush(self._agenda, (when, next(self._order), client, action))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._agenda and self._agenda[0][0] <= until:
            now, _, client, action = heapq.heappop(self._agenda)
            action(now, client)

    def shake(self, now: float, *, push_lost: bool) -> None:
        """Something happens to all clients at the same moment, and makes them doubt."""
        for client, plan in enumerate(self.plans):
            if push_lost:
                plan.lost(now)
            self.dirty[client] = True
            plan.doubted(True, now)
            self._at(now, client, self._look)

    def _look(self, now: float, client: int) -> None:
        plan = self.plans[client]
        if client in self._in_flight:
            return
        if self.push:
            plan.heard(now)
        if plan.sync_at() > now:
            self._at(plan.sync_at(), client, self._look)
            return
        hold_s = plan.hold_s(self.dirty[client])
        plan.started(now, self.dirty[client])
        self.arrivals.append((now, client))
        self._in_flight.add(client)
        retry_after_s = self.refuses(now)
        ends_at = now + LATENCY_S + (hold_s if retry_after_s is None and not _is_down(now) else 0)
        end = functools.partial(self._end, retry_after_s=retry_after_s)
        self._at(DOWN_AT if now < DOWN_AT < ends_at else ends_at, client, end)

    def _end(self, now: float, client: int, retry_after_s: float | None) -> None:
        plan = self.plans[client]
        self._in_flight.remove(client)
        if _is_down(now):
            plan.failed(now, refused=False, retry_after_s=None)
        elif retry_after_s is not None:
            plan.failed(now, refused=True, retry_after_s=retry_after_s)
        else:
            plan.answered(now, news=False, next_sync_s=self.next_sync_s, report_within_s=2)
            plan.doubted(False, now)
            self.dirty[client] = False
        self._at(max(now, plan.sync_at()), client, self._look)

    def between(self, start: float, end: float) -> list[float]:
        """When syncs arrived."""
        return [when for when, _ in self.arrivals if start <= when < end]

    def busiest(self, start: float, end: float) -> int:
        """The most syncs that arrived within any tenth of a second."""
        times = self.between(start, end)
        return max(
            sum(1 for later in times[index:] if later - when < WINDOW_S) for index, when in enumerate(times) if times
        )


def _is_down(now: float) -> bool:
    return DOWN_AT <= now < UP_AT


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("push", [True, False])
def test_a_service_that_comes_back_is_not_run_over(push: bool, seed: int) -> None:
    """After 30 s without it, all have asked within moments, and no tenth of a second sees more than a tenth of them."""
    herd = Herd(push=push, seed=seed)
    herd.run(UP_AT + 40)
    back = {client for when, client in herd.arrivals if UP_AT <= when < UP_AT + (33 if push else 3.1)}
    assert len(back) == CLIENTS
    assert herd.busiest(UP_AT, UP_AT + 40) <= CLIENTS / 10


@pytest.mark.parametrize("push", [True, False])
def test_a_service_that_is_down_is_not_hammered(push: bool) -> None:
    """On average each client tries at most once every 2 s."""
    herd = Herd(push=push, seed=1)
    herd.run(UP_AT)
    assert len(herd.between(DOWN_AT, UP_AT)) <= CLIENTS * (UP_AT - DOWN_AT) / 2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cause", ["null part or secret", "restart of Redis"])
def test_what_makes_all_sync_spreads_over_half_a_second(cause: str, seed: int) -> None:
    """All sync soon, but no tenth of a second sees more than three tenths of them."""
    herd = Herd(push=True, seed=seed)
    herd.run(120)
    herd.shake(120, push_lost=cause == "restart of Redis")
    herd.run(121)
    assert {client for when, client in herd.arrivals if when >= 120 - LATENCY_S} == set(range(CLIENTS))
    assert herd.busiest(120, 121) <= CLIENTS * 0.3


def test_the_service_can_slow_its_clients_down() -> None:
    """`next_sync_s` is what they keep to, spread evenly after a while."""
    herd = Herd(push=True, seed=1, next_sync_s=60)
    herd.run(190)
    assert 0.8 * CLIENTS <= len(herd.between(70, 130)) <= 1.2 * CLIENTS
    assert herd.busiest(70, 190) <= CLIENTS / 50


def test_retry_after_is_kept_by_everybody() -> None:
    """A service that has had enough, and says for how long, is left alone by each for that long; then all come back."""
    herd = Herd(push=False, seed=1)
    herd.refuses = lambda now: 8.0 if 120 <= now < 121 else None
    herd.run(150)
    refused = {client: when for when, client in herd.arrivals if 120 <= when < 121}
    returned = {client: when for when, client in reversed(herd.arrivals) if when >= 121 and client in refused}
    assert refused
    assert returned.keys() == refused.keys()
    assert all(8 <= returned[client] - refused[client] <= 8.6 for client in refused)
