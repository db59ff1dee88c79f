"""Wall clocks that are stepped by an hour, to and fro: Postgres', the service's, the clients'. Needs libfaketime."""

import http.client
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena
from tests.chaos.clocks import HOUR_S, Clock, needs_faketime
from tests.chaos.runs import Write, revision_of
from tests.chaos.writers import ENV

pytestmark = [pytest.mark.long, needs_faketime]

RELAYS = ("relay", "relay-2")
#: Ahead, right, behind, right: every step is an hour, two go back.
STEPS = (HOUR_S, 0, -HOUR_S, 0)
#: Clients find out after 3.5 s that there are no heartbeats.
NOTICED_WITHIN_S = 4.0
#: No release takes longer to be shown and reported by all.
ARRIVES_WITHIN_S = 20.0


def standing(arena: Arena, release: Write) -> dict[str, Any]:
    """How far a release has come."""
    assert release.cursor is not None
    return arena.service.ask("GET", f"/v1/envs/{ENV}/releases/{revision_of(release.cursor)}/convergence", None)


def until_known(arena: Arena) -> None:
    """Return when every client has reported, and listens to push if it is to."""
    arena.until_pushed()
    first = arena.write(0)
    arena.until(lambda: standing(arena, first)["applied"] >= len(arena.clients), "all clients are known")


def step(arena: Arena, clock: Clock, ahead_s: int) -> None:
    """While all goes on: everybody follows, every client is known all the time, and a release's times are true."""
    with arena.fault(f"a clock is {ahead_s} s ahead now", masked=True):
        before = arena.write(ahead_s)
        clock.set(ahead_s)
        for release in (before, arena.write(ahead_s + 1)):

            def all_have_it(release: Write = release) -> bool:
                now = standing(arena, release)
                assert not services(now["lost"]) & arena.clients.keys(), now
                assert now["watchers"] >= len(arena.clients), now
                return not services(now["laggards"]) & arena.clients.keys()

            arena.until(all_have_it, "all clients have said that they show it")
            assert 0 <= standing(arena, release)["times"]["p50_s"] < ARRIVES_WITHIN_S
        with arena.quiet():
            arena.last_for(NOTICED_WITHIN_S)
        arena.until_seen()


def services(clients: list[dict[str, str]]) -> set[str]:
    """Of which services they are; each client of the arena is one of its own, and so is the arena."""
    return {client["service"] for client in clients}


def test_of_postgres(tmp_path: Path) -> None:
    """All goes on; and no lease of a leader that died before a step back keeps others from leading for an hour."""
    with (
        Clock(tmp_path) as clock,
        Stack(tmp_path / "stack", relays=len(RELAYS), wrappers={"postgres": clock.wrapper}) as stack,
        Arena(stack, tmp_path) as arena,
    ):
        until_known(arena)
        for ahead_s in STEPS:
            step(arena, clock, ahead_s)
            assert clock.is_shown(of_postgres(stack))
        with arena.fault("the leader dies, and the clock is stepped back", masked=True):
            for name in RELAYS:
                stack.part(name).freeze()
            clock.set(-HOUR_S)
            for name in RELAYS:
                stack.part(name).kill()
            arena.until_seen()
            arena.last_for(NOTICED_WITHIN_S)
        arena.until_pushed()
        arena.finish()


def test_of_the_service(tmp_path: Path) -> None:
    """Neither web workers nor relays take the time of day for anything."""
    with (
        Clock(tmp_path) as clock,
        Stack(tmp_path / "stack", relays=len(RELAYS), wrappers=dict.fromkeys(("web", *RELAYS), clock.wrapper)) as stack,
        Arena(stack, tmp_path) as arena,
    ):
        until_known(arena)
        states = states_of(arena)
        for ahead_s in STEPS:
            step(arena, clock, ahead_s)
            assert clock.is_shown(of_the_service(stack))
        arena.finish()
        assert states_of(arena) == states


def test_of_the_clients(stack: Stack, tmp_path: Path) -> None:
    """A client's timers, and how it tells silence, go by another clock: it stays live all the time."""
    with Clock(tmp_path) as clock, Arena(stack, tmp_path, environ=clock.environ) as arena:
        until_known(arena)
        states = states_of(arena)
        for ahead_s in STEPS:
            step(arena, clock, ahead_s)
            assert all(clock.is_shown(client.clock_ahead_s) for client in arena.clients.values())
        arena.finish()
        assert states_of(arena) == states


def states_of(arena: Arena) -> dict[str, int]:
    """How often each client was in another state than before."""
    return {name: len(client.states) for name, client in arena.clients.items()}


def of_postgres(stack: Stack) -> float:
    """How far its clock is ahead, in seconds."""
    with psycopg.connect(stack.superuser_url) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    assert row is not None
    return float(row[0]) - time.time()


def of_the_service(stack: Stack) -> float:
    """The same, by the date that it puts on its answers."""
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/healthz")
    date = connection.getresponse().headers["Date"]
    connection.close()
    return parsedate_to_datetime(date).timestamp() - time.time()
