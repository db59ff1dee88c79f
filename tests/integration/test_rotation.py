"""Rotating keys: while everything runs, resumable, by two at once, and visible."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from configsvc.crypto.datakeys import DataKey, DataKeys
from configsvc.crypto.envelope import Place
from configsvc.crypto.providers import local
from configsvc.crypto.providers.local import LocalKeys
from configsvc.errors import CannotOpen, StalePlan
from configsvc.service.rotation import BATCH, Rotation
from configsvc.service.secrets import Plain, Secrets
from configsvc.store import secrets as secret_store
from configsvc.store.audit import Origin
from configsvc.store.database import Database
from configsvc.store.releases import Commit, Leave, commit
from configsvc.store.secrets import Kept
from tests import fix_database

ORIGIN = Origin("operator:test", "", "")
DEADLINE_S = 60.0
Values = dict[int, tuple[UUID, str]]


class World:
    """Secrets of one scope, written as the gate writes them; ``values``: value id and text by key id."""

    def __init__(self, database: fix_database.Database, keys_file: Path, count: int) -> None:
        self.url = database.service_url
        self.superuser_url = database.superuser_url
        self.keys_file = keys_file
        self.database = Database(database.service_url)
        self.secrets = Secrets(self.database, DataKeys(LocalKeys(keys_file)))
        with self.database.connection() as connection:
            connection.execute("INSERT INTO namespace (name, created_by) VALUES ('payments', 'alice')")
            self.keys = {
                row["id"]: row["name"]
                for row in connection.execute(
                    "INSERT INTO config_key (namespace_id, name, type, secret, created_by)"
                    " SELECT 1, 'k' || n, 'string', true, 'alice' FROM generate_series(1, %s) n RETURNING id, name",
                    [count],
                ).fetchall()
            }
        self.values: Values = {}
        ids = list(self.keys)
        for begin in range(0, count, 500):
            self.write(ids[begin : begin + 500], "first")

    def write(self, ids: list[int], mark: str) -> None:
        """Give keys new values, as one release; sealed anew where a data key was replaced meanwhile."""
        texts = [json.dumps(f"{mark} {self.keys[key_id]}") for key_id in ids]
        plain = [
            Plain("payments", 1, self.keys[key_id], "string", text) for key_id, text in zip(ids, texts, strict=True)
        ]
        while True:
            try:
                kept = self.commit(ids, plain)
            except StalePlan:
                continue
            self.values.update(
                {key_id: (each.value_id, text) for key_id, each, text in zip(ids, kept, texts, strict=True)}
            )
            return

    def commit(self, ids: list[int], plain: list[Plain]) -> list[Kept]:
        """Seal and commit once."""
        with self.database.connection() as connection:
            kept = self.secrets.seal(connection, 1, "development", plain)
            release = Commit(
                1, "edit", "", ids, [None] * len(ids), [1] * len(ids), leave=Leave(), secrets=kept
            )  # fmt: skip
            commit(connection, release, ORIGIN, None)
            return kept

    def check(self, ids: list[int]) -> None:
        """Assert that keys open to what was last written."""
        wanted = [self.values[key_id] for key_id in ids]
        places = [
            Place("payments", "development", self.keys[key_id], value_id)
            for key_id, (value_id, _) in zip(ids, wanted, strict=True)
        ]
        assert self.secrets.open(places) == [text for _, text in wanted]

    def check_afresh(self) -> None:
        """Assert that everything opens for a process that has just started, and nothing is under a retired key."""
        self.secrets = Secrets(self.database, DataKeys(LocalKeys(self.keys_file)))
        self.check(list(self.values))
        assert [row for row in secret_store.keys_in_use(self.database, None, None) if row["retired"]] == []

    def rotation(self) -> Rotation:
        """Another operator."""
        return Rotation(self.database, DataKeys(LocalKeys(self.keys_file)), ORIGIN)

    def command(self, *words: str) -> "subprocess.Popen[str]":
        """`configsvc keys …`, as a process of its own."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
        environ |= {"CONFIGSVC_DATABASE_URL": self.url, "CONFIGSVC_KEYS": f"file:{self.keys_file}"}
        command = [sys.executable, "-m", "configsvc", "keys", *words]
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def make(database: fix_database.Database, tmp_path: Path) -> Iterator[Callable[[int], World]]:
    """Makes a world of so many secrets."""
    made = []

    def make(count: int) -> World:
        local.create(tmp_path / "keys.json")
        made.append(World(database, tmp_path / "keys.json", count))
        return made[-1]

    yield make
    for world in made:
        world.database.close()


def finished(process: "subprocess.Popen[str]") -> str:
    """Wait for a command's end, and return what it said."""
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, output
    return output


def test_a_new_key_file_generation_rewraps_data_keys_and_touches_no_value(make: Callable[[int], World]) -> None:
    """After it the old generation is needed no more; status tells before and after."""
    world = make(3)
    before = secret_store.sealed(world.database, [value_id for value_id, _ in world.values.values()])
    local.add_generation(world.keys_file)
    assert [under.current for under in world.rotation().status()] == [False, False]
    assert world.rotation().rewrap().keys == 2
    assert world.rotation().rewrap().keys == 0
    assert [under.current for under in world.rotation().status()] == [True, True]
    after = secret_store.sealed(world.database, list(before))
    assert {value_id: sealed for value_id, (_, sealed) in after.items()} == {
        value_id: sealed for value_id, (_, sealed) in before.items()
    }
    document = json.loads(world.keys_file.read_text())
    world.keys_file.write_text(json.dumps(document | {"keys": document["keys"][1:]}))
    world.check_afresh()


def test_a_rewrap_that_was_interrupted_is_taken_up(
    make: Callable[[int], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two data keys: the first is done, status says which is not, and the next run does the rest."""
    world = make(3)
    local.add_generation(world.keys_file)
    plain, rewrapped = DataKeys.rewrap, list[str]()

    def killed_at_the_second(keys: DataKeys, key: DataKey) -> DataKey:
        if rewrapped:
            raise KeyboardInterrupt
        rewrapped.append(str(key.id))
        return plain(keys, key)

    with monkeypatch.context() as inside:
        inside.setattr(DataKeys, "rewrap", killed_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            world.rotation().rewrap()
    assert sorted(under.current for under in world.rotation().status()) == [False, True]
    world.check(list(world.values))
    assert world.rotation().rewrap().keys == 1
    assert [under.current for under in world.rotation().status()] == [True, True]
    world.check_afresh()


def test_a_service_with_old_ciphertexts_in_memory_goes_on(make: Callable[[int], World]) -> None:
    """It opens what it remembers while the old keys are there, and reads anew once they are gone."""
    world = make(3)
    world.check(list(world.values))
    now = [0.0]
    world.secrets._data_keys = DataKeys(LocalKeys(world.keys_file), clock=lambda: now[0])
    world.check(list(world.values))
    local.add_generation(world.keys_file)
    rotation = world.rotation()
    assert rotation.rotate().values == 3
    rotation.rewrap()
    world.check(list(world.values))
    document = json.loads(world.keys_file.read_text())
    world.keys_file.write_text(json.dumps(document | {"keys": document["keys"][1:]}))
    now[0] = 1_000_000.0
    world.check(list(world.values))


def test_a_rotation_writes_every_value_anew_and_nothing_else(make: Callable[[int], World]) -> None:
    """Fresh nonces and ciphertexts, more than one batch; history and fingerprints stay as they are."""
    count = BATCH + 10
    world = make(count)
    with psycopg.connect(world.superuser_url) as connection:
        history = connection.execute("SELECT * FROM config_version ORDER BY key_id").fetchall()
        nonces = {row[0] for row in connection.execute("SELECT nonce FROM secret_value").fetchall()}
    heard: list[int] = []
    done = world.rotation().rotate(progress=heard.append)
    assert (done.keys, done.values, done.resumed, done.faults) == (1, count, False, set())
    assert heard == [BATCH, count]
    world.check_afresh()
    with psycopg.connect(world.superuser_url) as connection:
        assert connection.execute("SELECT * FROM config_version ORDER BY key_id").fetchall() == history
        assert nonces.isdisjoint(row[0] for row in connection.execute("SELECT nonce FROM secret_value").fetchall())
        event = connection.execute(
            "SELECT action, actor, details->'values' FROM audit_event ORDER BY id DESC"
        ).fetchone()
    assert event == ("keys.rotate", "operator:test", count)


def test_two_at_once_and_a_value_that_does_not_open(make: Callable[[int], World]) -> None:
    """Neither harms the other; what is damaged is named and left, and keeps no rotation from beginning."""
    world = make(300)
    threads = [threading.Thread(target=lambda: world.rotation().rotate()) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    world.rotation().rotate()
    world.check_afresh()
    broken = next(iter(world.values.values()))[0]
    with psycopg.connect(world.superuser_url, autocommit=True) as connection:
        flip = "UPDATE secret_value SET nonce = set_byte(nonce, 3, get_byte(nonce, 3) # 1) WHERE value_id = %s"
        connection.execute(flip, [broken])
        for _ in range(2):
            done = world.rotation().rotate()
            assert (done.keys, done.values, len(done.faults)) == (1, 299, 1)
        with pytest.raises(CannotOpen, match="data key"):
            Secrets(world.database, DataKeys(LocalKeys(world.keys_file))).open(
                [Place("payments", "development", "k1", broken)]
            )


@pytest.mark.long
def test_ten_thousand_secrets_are_rotated_while_others_read_and_write(make: Callable[[int], World]) -> None:
    """Killed half-way, and resumed: no value is lost, none is wrong at any moment, and all end under new keys."""
    world = make(10_000)
    stop, problems = threading.Event(), list[BaseException]()
    ids = list(world.values)
    half = len(ids) // 2

    def until_stopped(work: Callable[[int], None]) -> threading.Thread:
        def run() -> None:
            turn = 0
            try:
                while not stop.is_set():
                    work(turn)
                    turn += 1
            except BaseException as error:  # noqa: BLE001 - the test tells it
                problems.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def read(turn: int) -> None:
        begin = turn * 97 % half
        world.check(ids[begin : begin + 50])

    def write(turn: int) -> None:
        begin = half + turn * 10 % (half - 10)
        world.write(ids[begin : begin + 10], f"turn {turn}")
        world.check(ids[begin : begin + 10])

    threads = [until_stopped(read), until_stopped(write)]
    try:
        first = world.command("rotate-data-keys")
        deadline = time.monotonic() + DEADLINE_S
        while not BATCH * 5 < retired(world) < 9_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        first.kill()
        first.wait(DEADLINE_S)
        first.stdout.close()  # type: ignore[union-attr]
        left = retired(world)
        assert left > 0, "killed half-way"
        status = finished(world.command("status"))
        assert "retired" in status
        output = finished(world.command("rotate-data-keys"))
        assert "finished the rotation that was interrupted" in output
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert problems == []
    world.check_afresh()


def retired(world: World) -> int:
    """How many values are under retired keys."""
    rows = secret_store.keys_in_use(world.database, None, None)
    return sum(row["secrets"] for row in rows if row["retired"])
