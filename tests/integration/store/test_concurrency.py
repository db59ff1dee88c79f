"""Many writers and readers at once: processes of their own, as in production, not threads that take turns."""

import itertools
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from configsvc.errors import StalePlan
from configsvc.store import config
from configsvc.store.database import Connection, Database, connect
from tests.integration.store.world import World, commit, delete_key

PROCESSES = 8
#: How long a process may take for its part.
DEADLINE_S = 60


def in_processes(count: int, work: Callable[..., Any], *args: Any) -> list[Any]:
    """Run ``work(number, barrier, *args)`` in processes that begin together; return what they return."""
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(count) as pool:
        barrier = manager.Barrier(count)
        return pool.starmap_async(work, [(number, barrier, *args) for number in range(count)]).get(DEADLINE_S)


def write_one_key(number: int, barrier: threading.Barrier, url: str, env_id: int, key_id: int) -> list[int]:
    """Write 50 values of one's own to one key; return the versions made."""
    with connect(url) as connection:
        barrier.wait(DEADLINE_S)
        return [
            commit(connection, env_id, {key_id: str(number * 1_000 + turn)}, note=f"{number}/{turn}").versions[key_id]
            for turn in range(50)
        ]


def test_eight_processes_write_one_key(world: World) -> None:
    """No write fails, none is lost, no revision or version is skipped or doubled, and the chain does not fork."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    made = in_processes(PROCESSES, write_one_key, world.database.service_url, world.env_id("development"), key)
    assert sorted(itertools.chain.from_iterable(made)) == list(range(1, 401))
    assert all(versions == sorted(versions) for versions in made)
    assert world.revision() == 400
    assert len(world.query("SELECT * FROM outbox")) == 400
    assert len(world.query("SELECT * FROM audit_event")) == 400
    world.check_history()


def write_both_or_read(
    number: int, barrier: threading.Barrier, url: str, env_id: int, keys: Sequence[int], namespaces: Sequence[str]
) -> tuple[int, int]:
    """The even ones write one number to two namespaces, the odd ones read both; return (states read, torn ones)."""
    if number % 2 == 0:
        with connect(url) as connection:
            barrier.wait(DEADLINE_S)
            for turn in range(60):
                commit(connection, env_id, dict.fromkeys(keys, str(number * 1_000 + turn)))
        return 0, 0
    database = Database(url)
    barrier.wait(DEADLINE_S)
    seen: dict[int, bool] = {}
    while not seen or max(seen) < 240:
        labels = config.labels(database, "development", namespaces, have=None)
        assert labels is not None
        revision = labels["revision"]
        texts = []
        for namespace in namespaces:
            namespace_id, scope_revision, *_ = labels["scopes"][namespace]
            # At the scope's last release and at the environment's newest one, a scope is the same.
            at = revision if len(seen) % 2 else scope_revision
            texts.append([row["value"] for row in config.scope_at(database, env_id, namespace_id, at)])
        seen[revision] = texts[0] == texts[1]
    database.close()
    return len(seen), list(seen.values()).count(False)


def test_readers_see_both_namespaces_of_one_release(world: World) -> None:
    """Four writers change two namespaces together; no reader sees the one without the other."""
    keys = []
    for namespace in ("payments", "search"):
        world.namespace(namespace)
        keys.append(world.key(namespace, "number"))
    env_id, names = world.env_id("development"), ("payments", "search")
    results = in_processes(PROCESSES, write_both_or_read, world.database.service_url, env_id, keys, names)
    read = [(states, torn) for states, torn in results if states]
    assert len(read) == 4
    assert [torn for _, torn in read] == [0, 0, 0, 0]
    assert sum(states for states, _ in read) > 20, "the readers read while the writers wrote"
    world.check_history()


def test_the_first_two_writers_of_a_scope_do_not_collide(world: World) -> None:
    """Each of them finds the scope empty; it counts both."""
    for turn in range(10):
        namespace = world.namespace(f"new-{turn}")
        keys = [world.key(f"new-{turn}", name) for name in ("a", "b")]
        barrier = threading.Barrier(2)

        def write(key: int, barrier: threading.Barrier = barrier) -> int:
            barrier.wait(DEADLINE_S)
            return world.commit({key: "1"}).revision

        with ThreadPoolExecutor(2) as pool:
            revisions = list(pool.map(write, keys))
        (scope,) = world.query("SELECT revision, keys, bytes FROM scope WHERE namespace_id = %s", namespace)
        assert scope == {"revision": max(revisions), "keys": 2, "bytes": 4}
    world.check_history()


def test_two_environments_are_written_at_the_same_time(world: World) -> None:
    """A commit that is held open in one does not hold up the other."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    with world.store.transaction() as connection:
        commit(connection, world.env_id("staging"), {key: "1"})
        assert world.commit({key: "2"}, "production").revision == 1
    assert world.revision("staging") == 1


def test_deleting_a_key_waits_for_the_commit_that_uses_it(world: World) -> None:
    """It then finds the value, and refuses."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    with ThreadPoolExecutor(1) as pool, world.superuser() as watching:
        with world.store.transaction() as connection:
            commit(connection, world.env_id("development"), {key: "1"})
            deleting = pool.submit(world.delete_key, "payments", "rate_limit")
            wait_for_a_lock(watching)
        assert deleting.result(DEADLINE_S) is False


def test_a_commit_waits_for_the_deletion_of_its_key(world: World) -> None:
    """It then finds the key gone, and refuses."""
    world.namespace("payments")
    key = world.key("payments", "rate_limit")
    with ThreadPoolExecutor(1) as pool, world.superuser() as watching:
        with world.store.transaction() as connection:
            assert delete_key(connection, "payments", "rate_limit")
            writing = pool.submit(world.commit, {key: "1"})
            wait_for_a_lock(watching)
        with pytest.raises(StalePlan):
            writing.result(DEADLINE_S)
    assert world.revision() == 0


def wait_for_a_lock(connection: Connection) -> None:
    """Return when somebody in this database waits for a lock."""
    pause = threading.Event()
    for _ in range(DEADLINE_S * 100):
        if connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchone():
            return
        pause.wait(0.01)
    raise AssertionError("nobody waits")
