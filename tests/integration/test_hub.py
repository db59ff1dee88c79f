"""The hub against a real Postgres: held requests wake when a release commits, and only then."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from configsvc.delivery.hub import Hub
from configsvc.delivery.line import Line
from configsvc.store.database import Database as Pool
from tests.delivery import Editor, superuser, wait_until
from tests.fix_database import Database

LONG_S = 15.0
OTHER_HISTORY = """
UPDATE release r SET hash = sha256(random()::text::bytea) FROM environment e
WHERE e.id = r.env_id AND e.name = 'production' AND r.revision = e.revision
"""


@pytest.fixture
def pool(database: Database) -> Iterator[Pool]:
    """The service's connections."""
    pool = Pool(database.service_url)
    yield pool
    pool.close()


@pytest.fixture
def editor(pool: Pool) -> Editor:
    """Makes releases."""
    return Editor(pool)


@pytest.fixture
def hub(database: Database, pool: Pool) -> Iterator[Hub]:
    """A hub that has read the revisions once."""
    hub = Hub(database.service_url, pool)
    hub.start()
    wait_until(lambda: hub.revision("production") is not None)
    yield hub
    hub.stop()


@pytest.fixture
def waiters() -> Iterator[ThreadPoolExecutor]:
    """Threads for held requests."""
    with ThreadPoolExecutor(100) as executor:
        yield executor


def hold(waiters: ThreadPoolExecutor, hub: Hub, env: str, after_revision: int) -> Future[float | None]:
    """A request held in another thread, which has begun to wait or is about to."""
    begun = threading.Event()

    def wait() -> float | None:
        begun.set()
        return hub.next_move(env, after_revision)(LONG_S)

    held = waiters.submit(wait)
    begun.wait(LONG_S)
    return held


def listeners(database: Database) -> list[int]:
    """The backends of the hubs."""
    with superuser(database.superuser_url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'configsvc hub' AND datname = current_database()"
        )
        return [row["pid"] for row in rows]


def test_a_commit_wakes_who_waits_for_its_environment(hub: Hub, editor: Editor, waiters: ThreadPoolExecutor) -> None:
    """All requests held for the environment wake, and the revision is known; another environment's sleep on."""
    woken = [hold(waiters, hub, "production", 0) for _ in range(50)]
    asleep = hold(waiters, hub, "staging", 0)
    editor.count("production", 1)
    assert all(held.result(LONG_S) for held in woken)
    assert hub.revision("production") == 1
    assert not asleep.done()
    editor.count("staging", 1)
    assert asleep.result(LONG_S)


def test_what_moved_before_the_wait_does_not_hold(hub: Hub, editor: Editor) -> None:
    """A revision newer than the caller's answers at once; an older one is old news, and the wait goes on."""
    editor.count("production", 1)
    assert hub.next_move("production", 0)(LONG_S)
    assert hub.next_move("production", 0)(0)
    assert not hub.next_move("production", 7)(0)


def test_any_move_wakes_who_knows_more_than_the_hub(hub: Hub, editor: Editor, waiters: ThreadPoolExecutor) -> None:
    """A caller whose revision is ahead of what is known here wakes at the next move, whatever its number."""
    held = hold(waiters, hub, "production", 7)
    editor.count("production", 1)
    assert held.result(LONG_S)


def test_nothing_new_ends_at_the_timeout(hub: Hub) -> None:
    """Without a release a wait is False; so it is for an environment that isn't there."""
    assert not hub.next_move("production", 0)(0.05)
    assert not hub.next_move("nowhere", 0)(0.05)
    assert hub.revision("nowhere") is None


def test_who_was_answered_rests_until_all_are(
    hub: Hub, editor: Editor, waiters: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While some still wait for their turn, those who had theirs wait too; and nobody once all are through."""
    turn, through = threading.Event(), threading.Event()
    let_go = Line.let_go

    def slowly(line: Line, *terms: float) -> None:
        turn.set()
        assert through.wait(LONG_S)
        let_go(line, *terms)

    monkeypatch.setattr(Line, "let_go", slowly)
    hub.rest()
    revision = 0
    while not turn.is_set():  # until one stood in line in time: where nobody does, there is no turn
        hold(waiters, hub, "production", revision)
        revision += 1
        editor.count("production", 1)
        turn.wait(1)
    resting = waiters.submit(hub.rest)
    hub_waits = hold(waiters, hub, "production", revision)
    assert not resting.done()
    through.set()
    resting.result(LONG_S)
    hub.rest()
    assert not hub_waits.done()
    editor.count("production", 1)
    assert hub_waits.result(LONG_S)


def test_what_is_returned_is_after_the_commit(hub: Hub, editor: Editor, waiters: ThreadPoolExecutor) -> None:
    """All whom one release woke are told the same moment, which lies after it."""
    held = [hold(waiters, hub, "production", 0) for _ in range(20)]
    before = time.monotonic()
    editor.count("production", 1)
    [moved_at] = {each.result(LONG_S) for each in held}
    assert moved_at is not None
    assert before < moved_at <= time.monotonic()


def test_a_restore_wakes_too(database: Database, hub: Hub, editor: Editor, waiters: ThreadPoolExecutor) -> None:
    """A revision that goes backwards, which nobody is notified of, wakes who waits."""
    editor.count("production", 2)
    assert hub.next_move("production", 0)(LONG_S)
    wait_until(lambda: hub.revision("production") == 2)
    held = hold(waiters, hub, "production", 2)
    with superuser(database.superuser_url) as connection:
        connection.execute("UPDATE environment SET revision = 1 WHERE name = 'production'")
    assert held.result(LONG_S)
    assert hub.revision("production") == 1


def test_another_history_of_the_same_length_wakes_too(
    database: Database, hub: Hub, editor: Editor, waiters: ThreadPoolExecutor
) -> None:
    """A database that was exchanged for one at the same revision."""
    editor.count("production", 1)
    assert hub.next_move("production", 0)(LONG_S)
    held = hold(waiters, hub, "production", 1)
    editor.count("staging", 1)
    assert hub.next_move("staging", 0)(LONG_S)
    with superuser(database.superuser_url) as connection:
        assert not held.done()
        connection.execute("SET session_replication_role = replica")
        # Again and again: the hub may not have read the first one yet.
        wait_until(lambda: bool(connection.execute(OTHER_HISTORY)) and held.done())
    assert held.result(LONG_S)
    assert hub.revision("production") == 1


def test_a_new_environment_wakes_who_waits_for_it(database: Database, hub: Hub, waiters: ThreadPoolExecutor) -> None:
    """An environment that is made while a request waits for it is found by the next read."""
    held = hold(waiters, hub, "qa", -1)
    with superuser(database.superuser_url) as connection:
        connection.execute("SELECT create_environment('qa', '', false, 1::smallint, 'test')")
    assert held.result(LONG_S)
    assert hub.revision("qa") == 0


def test_a_wait_from_before_the_start(
    database: Database, pool: Pool, editor: Editor, waiters: ThreadPoolExecutor
) -> None:
    """A request that waits before the first read gets its answer from it. Starting and stopping twice is fine."""
    editor.count("production", 1)
    hub = Hub(database.service_url, pool)
    held = hold(waiters, hub, "production", 0)
    hub.start()
    hub.start()
    assert held.result(LONG_S)
    assert len(listeners(database)) == 1
    hub.stop()
    hub.stop()
    wait_until(lambda: not listeners(database))


def test_wrong_hints_do_no_harm(database: Database, hub: Hub, editor: Editor) -> None:
    """Whoever may connect can notify anything: the next read puts it right."""
    with superuser(database.superuser_url) as connection:
        for payload in (
            "",
            "production",
            "production:",
            "production:x",
            "nowhere:3",
            ":",
            "production:0",
            "production:99",
        ):
            connection.execute("SELECT pg_notify('configsvc', %s)", [payload])
    assert hub.next_move("production", 0)(LONG_S)
    wait_until(lambda: hub.revision("production") == 0)
    assert hub.revision("nowhere") is None
    editor.count("production", 1)
    assert hub.next_move("production", 0)(LONG_S)


def test_it_heals_after_its_connection_was_lost(
    database: Database, pool: Pool, hub: Hub, editor: Editor, waiters: ThreadPoolExecutor
) -> None:
    """A request that is held while all connections are lost wakes for what comes then, and the pool is whole again."""
    editor.count("production", 1)
    wait_until(lambda: hub.revision("production") == 1)
    held = hold(waiters, hub, "production", 1)
    with superuser(database.superuser_url) as connection:
        lost = connection.execute(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'configsvc_service' AND datname = current_database()"
        ).fetchall()
        assert len(lost) >= 2
        connection.execute("UPDATE environment SET revision = 0 WHERE name = 'production'")
    assert held.result(LONG_S)
    # At the first try: the hub had the dead connection replaced before it woke anybody.
    assert pool.one("SELECT 1 AS one") == {"one": 1}


WORKER = """
import gevent.monkey
gevent.monkey.patch_all()
import sys
import gevent
from configsvc.delivery.hub import Hub
from configsvc.delivery.line import Line
from configsvc.store.database import Database

url, number = sys.argv[1], int(sys.argv[2])
hub = Hub(url, Database(url))
hub.start()
assert hub.next_move("production", -1)(10)
held = [gevent.spawn(hub.next_move("production", 0), 30) for _ in range(number)]
gevent.sleep(0)
print("held", flush=True)
gevent.joinall(held)
assert all(each.value for each in held)
print("woken", flush=True)
hub.stop()
"""


def test_thousands_wake_in_a_gevent_worker(database: Database, editor: Editor) -> None:
    """In a process patched by gevent, one commit wakes 5,000 held requests, and the hub stops as everywhere."""
    command = [sys.executable, "-c", WORKER, database.service_url, "5000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "held\n"
        editor.count("production", 1)
        assert worker.stdout.readline() == "woken\n"
        assert worker.wait(LONG_S) == 0
