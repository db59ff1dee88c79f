"""Postgres, the truth: stopped, killed, locked, and put back to an older state."""

import contextlib
import shutil
import subprocess
import threading
from pathlib import Path

import psycopg
import pytest

from configsvc.dev.stack import Stack
from tests.chaos.arena import CLIENTS, Arena
from tests.chaos.door import Door
from tests.chaos.runs import View
from tests.chaos.writers import ENV

pytestmark = pytest.mark.long

#: A caller gets an answer within this time, whoever holds a lock: a statement ends after 8 s.
ANSWER_WITHIN_S = 9.0
LOCK_HELD_S = 60.0
#: Syncs of a pushed client while twenty releases are made after a restore: a few reports, and no more.
SYNCS_MAX = 12


def test_stopped(stack: Stack, tmp_path: Path) -> None:
    """Without Postgres for 15 s nothing new is taken; all that was answered is still there."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("Postgres is stopped"):
            stack.part("postgres").stop()
            arena.last_for(15)
            stack.part("postgres").start()
        arena.until_seen()
        arena.until_pushed()
        arena.finish()


def test_killed(stack: Stack, tmp_path: Path) -> None:
    """Killed while it writes, and started again: what was answered has outlived it."""
    with Arena(stack, tmp_path) as arena:
        for _ in range(2):
            with arena.fault("Postgres is killed"):
                stack.part("postgres").kill(restart=False)
                stack.part("postgres").start()
            arena.until_seen()
        arena.finish()


def test_frozen(stack: Stack, tmp_path: Path) -> None:
    """Stopped in the middle of whatever it did, with all its connections open: callers get their answers in time."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("Postgres is frozen"):
            stack.part("postgres").freeze()
            arena.last_for(15)
            stack.part("postgres").resume()
        arena.until_seen()
        arena.until_pushed()
        arena.finish()
        assert arena.service.silences == []


def test_locked(stack: Stack, tmp_path: Path) -> None:
    """While somebody holds the environment's row, writes are answered with 503 in time, and reads go on."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("the row is locked"), psycopg.connect(stack.superuser_url) as holding:
            holding.execute("SELECT FROM environment WHERE name = %s FOR UPDATE", [ENV])
            arena.until(lambda: len(arena.service.refusals_s) >= 2, "writes are refused")
            over = threading.Event()
            timer = threading.Timer(LOCK_HELD_S, over.set)
            timer.start()
            while not over.wait(1):
                arena.look()
            holding.rollback()
        arena.until_seen()
        arena.finish()
        assert max(arena.service.refusals_s) < ANSWER_WITHIN_S
        assert all(client.is_well for client in arena.clients.values())


def test_restored(tmp_path: Path) -> None:
    """Twice an older state is put back, and new writes reuse its numbers: all follow, say so, and there is no loop."""
    data = tmp_path / "stack"
    with contextlib.ExitStack() as cleanup:
        stack = cleanup.enter_context(Stack(data))
        doors = {name: cleanup.enter_context(Door(stack.url)) for name in CLIENTS}
        options = {name: {**CLIENTS[name], "url": each.url} for name, each in doors.items()}
        arena = cleanup.enter_context(Arena(stack, tmp_path, options))
        saved = save(arena, data)
        for _ in range(2):
            arena.until_written(10)
            arena.until_seen()
            with arena.quiet(), arena.fault("an older state is restored"):
                stack.part("postgres").stop()
                put_back(data)
                stack.part("postgres").start()
                arena.restored(saved.cursor)
            arena.until_pushed()
            before = {name: each.requests for name, each in doors.items()}
            arena.until_written(20)
            arena.until_seen()
            asked = {name: doors[name].requests - before[name] for name in doors if name != "polling"}
            assert max(asked.values()) <= SYNCS_MAX, asked
        arena.finish()
        for name, client in arena.clients.items():
            assert client.log().count("was replaced") == 2, name


def save(arena: Arena, data: Path) -> View:
    """Copy the data folder while Postgres is stopped; return what is in it."""
    with arena.quiet(), arena.fault("Postgres is stopped for a copy"):
        saved = arena.look()
        arena.stack.part("postgres").stop()
        copy(data / "postgres", data.with_name("saved"))
        arena.stack.part("postgres").start()
    return saved


def put_back(data: Path) -> None:
    """Make the data folder what was saved."""
    shutil.rmtree(data / "postgres")
    copy(data.with_name("saved"), data / "postgres")


def copy(source: Path, target: Path) -> None:
    """Copy a folder with its owners and rights."""
    subprocess.run(["cp", "-a", source, target], check=True)
