"""Beyond one machine: three configsvc, a cluster, sentinels, a standby. Applications notice nothing of any failover."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.dev.supervisor import Supervisor
from tests.chaos.arena import Arena
from tests.chaos.fleet import Fleet, start_postgres, start_valkey
from tests.chaos.redis_groups import NUMBERS, Sentinels, start_cluster
from tests.chaos.runs import WRITERS
from tests.chaos.standby import Pair

pytestmark = pytest.mark.long


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Ends everything that a test has started."""
    logs = tmp_path / "logs"
    logs.mkdir()
    # The servers of root run as nobody, and have to get to their data.
    tmp_path.chmod(0o711)
    with Supervisor(logs, print) as running:
        yield running


@pytest.fixture
def fleet(supervisor: Supervisor, tmp_path: Path) -> Iterator[Fleet]:
    """Three configsvc on one Postgres and one Valkey."""
    postgres_url = start_postgres(supervisor, tmp_path)
    with Fleet(supervisor, tmp_path, postgres_url, start_valkey(supervisor)) as running:
        yield running


def finish(arena: Arena, *states: str) -> None:
    """Have the run judged; and no application saw an exception, or its client in another state than live or these."""
    arena.until_pushed()
    arena.until_seen()
    arena.finish()
    for name, client in arena.clients.items():
        assert "Traceback" not in client.log(), name
        assert {state for state, _ in client.states} <= {"live", *states}, name


def test_of_three_one_is_killed(fleet: Fleet, tmp_path: Path) -> None:
    """Whichever of three configsvc dies, whole, leader or not, the two others serve and publish."""
    with Arena(fleet, tmp_path) as arena:
        for number in fleet.numbers:
            with arena.fault(f"configsvc {number} is killed", who=[WRITERS]):
                fleet.part(f"web-{number}").kill(restart=False)
                fleet.part(f"relay-{number}").kill(restart=False)
                arena.until_seen()
                fleet.part(f"web-{number}").start()
                fleet.part(f"relay-{number}").start()
        # A poll that is cut off with its service may meet it once more before its port is closed.
        finish(arena, "offline")


def test_rolling_restart(fleet: Fleet, tmp_path: Path) -> None:
    """One after the other is taken out, stopped, started and put in: no write fails, no client waits."""
    with Arena(fleet, tmp_path) as arena:
        with arena.fault("all are restarted, one by one", masked=True):
            for number in fleet.numbers:
                with fleet.taken_out(number):
                    for part in (fleet.part(f"web-{number}"), fleet.part(f"relay-{number}")):
                        part.stop()
                        part.start()
                arena.until_seen()
        finish(arena)
        assert all(write.cursor is not None for write in arena.writers.log)
        assert arena.service.refusals_s == []


def test_cluster(supervisor: Supervisor, tmp_path: Path) -> None:
    """Of a Redis Cluster, whichever node dies, its clients listen at another one, and the relay publishes there."""
    redis = start_cluster(supervisor, tmp_path)
    with (
        Fleet(supervisor, tmp_path, start_postgres(supervisor, tmp_path), redis) as fleet,
        Arena(fleet, tmp_path) as arena,
    ):
        for number in NUMBERS:
            with arena.fault(f"node {number} is killed", masked=True):
                fleet.part(f"valkey-{number}").kill(restart=False)
                arena.until_seen()
                arena.until_pushed()
                fleet.part(f"valkey-{number}").start()
            arena.until_seen()
        finish(arena, "degraded")


def test_sentinels(supervisor: Supervisor, tmp_path: Path) -> None:
    """The master dies twice; clients poll until the sentinels have made another one, and listen there."""
    group = Sentinels(supervisor, tmp_path)
    postgres_url = start_postgres(supervisor, tmp_path)
    with Fleet(supervisor, tmp_path, postgres_url, group.redis) as fleet, Arena(fleet, tmp_path) as arena:
        for _ in range(2):
            dead = group.master()
            with arena.fault(f"master {dead} is killed", masked=True):
                fleet.part(f"valkey-{dead}").kill(restart=False)
                arena.until(lambda dead=dead: group.master() != dead, "there is another master")  # type: ignore[misc]
                arena.until_seen()
                arena.until_pushed()
                fleet.part(f"valkey-{dead}").start()
        finish(arena, "degraded")


def test_standby(supervisor: Supervisor, tmp_path: Path) -> None:
    """The primary is killed and its synchronous standby promoted: all that was answered is there."""
    pair = Pair(supervisor, tmp_path)
    redis = start_valkey(supervisor)
    with Fleet(supervisor, tmp_path, pair.superuser_url, redis) as fleet, Arena(fleet, tmp_path) as arena:
        arena.until_written(10)
        with arena.fault("Postgres fails over"):
            pair.fail_over()
        arena.until_written(10)
        finish(arena, "degraded", "offline")
