"""Holding requests: places by caller, and looks at the rights meanwhile."""

import pytest

from configsvc.errors import NotFound, RateLimited, Unauthenticated
from configsvc.service import holds
from configsvc.service.access import CACHE_S, Caller, Identity
from configsvc.service.holds import LOOK_S, RECHECK_S, Holds, Wait
from configsvc.store.audit import Origin

CALLER = Caller(Identity("1", "a", "a", None, ()), Origin("a", "", ""))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each wait was; time passes in them alone."""
    done: list[float] = []
    monkeypatch.setattr(holds.time, "monotonic", lambda: sum(done))
    return done


def nothing(waits: list[float]) -> Wait:
    """Waits in vain."""

    def wait(timeout_s: float) -> None:
        waits.append(timeout_s)

    return wait


#: When it happened.
MOVED_AT = 12.5


def at_once(timeout_s: float) -> float:
    """It happens at once."""
    return MOVED_AT


def allow(*args: object, **more: object) -> Caller:
    """Nothing has changed."""
    return CALLER


def hold(limit: Holds, wait: Wait, timeout_s: float, asked: list[float] | None = None) -> tuple[Caller, float]:
    """Hold one request of the caller; ``asked`` gets since when each authentication was asked for."""

    def authenticate(*, since: float) -> Caller:
        if asked is not None:
            asked.append(since)
        return CALLER

    return limit.hold(CALLER, authenticate, allow, wait, timeout_s)


def test_a_long_hold_looks_at_the_token_now_and_then(waits: list[float]) -> None:
    """From memory while it is held, at the end nearly fresh; with the memory's age that is less than 10 s."""
    asked: list[float] = []
    _, since = hold(Holds(1), nothing(waits), 2.5 * RECHECK_S, asked)
    assert waits == pytest.approx([RECHECK_S, RECHECK_S, RECHECK_S / 2])
    assert asked == pytest.approx([RECHECK_S - CACHE_S, 2 * RECHECK_S - CACHE_S, 2.5 * RECHECK_S - LOOK_S])
    assert since == asked[-1]
    assert RECHECK_S + CACHE_S < 10


def test_what_happens_ends_the_hold(waits: list[float]) -> None:
    """The rights are those after it: all whom it woke may share one look-up."""
    asked: list[float] = []
    assert hold(Holds(1), at_once, 50, asked) == (CALLER, MOVED_AT)
    assert asked == [MOVED_AT]


@pytest.mark.parametrize("ending", [Unauthenticated("revoked"), NotFound("no grant")])
def test_lost_rights_end_the_hold(waits: list[float], ending: Exception) -> None:
    """At the next look: by the token, or by what the caller may still see."""

    def refuse(*args: object, **more: object) -> Caller:
        raise ending

    ways = (refuse, allow) if isinstance(ending, Unauthenticated) else (allow, refuse)
    with pytest.raises(type(ending)):
        Holds(1).hold(CALLER, *ways, nothing(waits), 55)
    assert waits == [RECHECK_S]


def test_places_are_by_caller_and_come_back(waits: list[float]) -> None:
    """Held requests are bounded for each caller; whatever ends a hold frees its place."""
    limit = Holds(1)
    other = Caller(Identity("2", "b", "b", None, ()), Origin("b", "", ""))

    def inside(timeout_s: float) -> None:
        with pytest.raises(RateLimited, match="a holds 1 requests here already: let them end, or") as refused:
            hold(limit, inside, 1)
        assert refused.value.retry_after_s >= 1
        limit.hold(other, allow, allow, at_once, 1)
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            hold(limit, inside, 1)
    hold(limit, at_once, 1)
