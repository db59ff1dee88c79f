"""The service, the true path: its workers killed at the worst moment, and answers that are none."""

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from configsvc.dev.process import descendants
from configsvc.dev.stack import Stack
from tests.chaos import door
from tests.chaos.arena import Arena
from tests.chaos.door import Answer, Door
from tests.chaos.runs import WRITERS
from tests.chaos.writers import ENV
from tests.delivery import DEADLINE_S, wait_until

KILLS = 10
_REVISION = "SELECT revision FROM environment WHERE name = %s"
_LOCK = "SELECT FROM environment WHERE name = %s FOR UPDATE"
_WAITS = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%commit_release%%'"


def workers(stack: Stack) -> list[int]:
    """The processes that answer requests."""
    pid = stack.part("web").pid
    assert pid is not None
    return descendants(pid)


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send it to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def killed_before_the_answer(stack: Stack) -> Iterator[None]:
    """A write that is asked for inside is committed, and its worker dies before it can know."""
    with psycopg.connect(stack.superuser_url) as holding, psycopg.connect(stack.superuser_url, autocommit=True) as look:
        before = look.execute(_REVISION, [ENV]).fetchone()
        holding.execute(_LOCK, [ENV])
        yield
        wait_until(lambda: look.execute(_WAITS).fetchone() is not None)
        victims = workers(stack)
        signal_all(victims, signal.SIGSTOP)
        holding.rollback()
        wait_until(lambda: look.execute(_REVISION, [ENV]).fetchone() != before)
        signal_all(victims, signal.SIGKILL)


def test_killed_between_commit_and_answer(stack: Stack, tmp_path: Path) -> None:
    """The write is there, is told to everybody, and asked for again with its Idempotency-Key it is not made twice."""
    with Arena(stack, tmp_path) as arena, ThreadPoolExecutor(1) as thread:
        with arena.quiet(), arena.fault("the workers are killed"):
            with killed_before_the_answer(stack):
                asked = thread.submit(arena.write, 42)
            assert asked.result().cursor is not None
        assert arena.service.replays == 1
        arena.until_seen()
        arena.finish()


@pytest.mark.long
def test_killed_again_and_again(stack: Stack, tmp_path: Path) -> None:
    """Nothing is lost or done twice, and pushed clients follow without a pause; killed as soon as a commit is told."""
    with psycopg.connect(stack.superuser_url, autocommit=True) as look, Arena(stack, tmp_path) as arena:
        look.execute("LISTEN configsvc")
        for _ in range(KILLS):
            with arena.fault("the workers are killed", who=["polling", WRITERS]):
                victims = workers(stack)
                list(look.notifies(timeout=0))  # what was told before
                told = list(look.notifies(timeout=DEADLINE_S, stop_after=1))
                signal_all(victims, signal.SIGKILL)
                assert told
                arena.until_written(5)
        arena.until_seen()
        arena.finish()


BAD: dict[str, Answer] = {
    "401": door.status(401),
    "429": door.status(429, retry_after="1"),
    "500": door.status(500),
    "html": door.html,
    "half": door.half,
    "cut": door.half_said_to_be_whole,
    "shape": door.other_shape,
    "slow": door.slow,
    "never": door.never,
}


#: In about ten seconds of bad answers; a client that asked again at once would have thousands.
REQUESTS_MAX = 30


@pytest.mark.long
def test_answers_that_are_none(stack: Stack, tmp_path: Path) -> None:
    """Each of them is survived: pushed clients notice nothing, polling ones come back; all keep what they have."""
    with contextlib.ExitStack() as cleanup:
        polling = {f"polling-{name}": cleanup.enter_context(Door(stack.url)) for name in BAD}
        pushed = {f"pushed-{name}": cleanup.enter_context(Door(stack.url)) for name in ("500", "cut")}
        doors = polling | pushed
        options = {name: {"url": each.url, "push": name in pushed} for name, each in doors.items()}
        arena = cleanup.enter_context(Arena(stack, tmp_path, options))
        with arena.fault("bad answers", who=polling):
            before = {name: each.requests for name, each in doors.items()}
            for name, each in doors.items():
                each.shut(BAD[name.partition("-")[2]])
            arena.until_seen(*pushed)
            arena.last_for(10)
            arena.until_seen(*pushed)
            asked = {name: each.requests - before[name] for name, each in doors.items()}
            for each in doors.values():
                each.open()
        assert max(asked.values()) <= REQUESTS_MAX, asked
        arena.finish()
