"""Verification on real rows: it is silent while all is well; its head and its archive."""

import hashlib
import json
import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from configsvc.domain.chains import Event, audit_content
from configsvc.errors import SetupError
from configsvc.service.verification import export, head, read_head, verify
from configsvc.store import migrate
from tests.fix_database import Database
from tests.integration.store import recorded
from tests.integration.store.world import World

INTACT = [
    "development: 6 releases, 7 events, intact",
    "staging: 0 releases, 0 events, intact",
    "production: 2 releases, 4 events, intact",
    "no environment: 3 events, intact",
]


@pytest.fixture
def written(world: World) -> World:
    """A history with everything that a chain can hold."""
    recorded.write(world)
    return world


def test_an_intact_database_verifies(written: World) -> None:
    """As the service's role: unicode, deletes, a key declared again, rollbacks, review, broken glass."""
    found = list(verify(written.database.service_url, head(written.database.service_url)))
    assert [line for findings in found for line in findings.lines] == INTACT
    assert all(findings.intact for findings in found)


def test_an_empty_database_verifies(world: World) -> None:
    """Three beginnings, and nothing else."""
    assert all(findings.intact for findings in verify(world.database.service_url, head(world.database.service_url)))


def test_a_head_holds_while_the_chains_grow(written: World) -> None:
    """An old head is as good as a new one."""
    kept = head(written.database.service_url)
    written.commit({2: "5"})
    written.commit({2: "6"}, env="staging")
    assert all(findings.intact for findings in verify(written.database.service_url, kept))


def test_writes_go_on_during_verification_and_raise_no_alarm(written: World) -> None:
    """A write in the middle of a walk neither waits for it nor is seen by it."""
    walk = verify(written.database.service_url)
    said = next(walk).lines
    for env in ("development", "staging", "production"):
        written.commit({2: '"meanwhile"'}, env=env)
    recorded.record(written, "token.create", {})
    said += [line for findings in walk for line in findings.lines]
    assert said == INTACT


def test_verification_beside_writers_raises_no_alarm(written: World) -> None:
    """Whatever moment it sees."""

    def work(env: str) -> None:
        for turn in range(40):
            written.commit({2: str(turn)}, env=env)
            recorded.record(written, "write.refused", {"turn": turn}, env)

    writers = [threading.Thread(target=work, args=[env]) for env in ("development", "production")]
    for writer in writers:
        writer.start()
    looked = 0
    while any(writer.is_alive() for writer in writers) or not looked:
        assert all(findings.intact for findings in verify(written.database.service_url))
        looked += 1
    for writer in writers:
        writer.join()
    assert "development: 46 releases, 47 events, intact" in [
        line for findings in verify(written.database.service_url) for line in findings.lines
    ]


def test_a_migrated_database_verifies(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of before the chains get their place, and what comes after goes on from there."""
    old = Path(shutil.copytree(migrate.sql_dir(), tmp_path / "sql"))
    for path in sorted(old.glob("migrations/*.sql"))[1:]:
        path.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(migrate, "sql_dir", lambda: old)
        migrate.migrate(empty_database.superuser_url)
    world = World(Database(empty_database.name, empty_database.superuser_url, empty_database.superuser_url))
    try:
        world.namespace("payments")
        key = world.key("payments", "rate_limit")
        for value in ("1", None, "2"):
            world.query(
                "SELECT revision FROM commit_release(1::smallint, 'edit', %s, 'alice', %s::bigint[], '{1}', %s::text[],"
                " NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'request-1', '127.0.0.1')",
                *(recorded.ODD, [key], [value]),
            )
        world.query("SELECT record_audit_event('key.declare', 'alice', 'r', 'local', '{\"namespace\": \"payments\"}')")
        migrate.migrate(empty_database.superuser_url)
        world.commit({key: "3"})
        world.commit({key: "3"}, env="production")
        recorded.record(world, "token.create", {"name": "x"})
        found = [line for findings in verify(empty_database.superuser_url) for line in findings.lines]
        assert found == [
            "development: 4 releases, 4 events, intact",
            "staging: 0 releases, 0 events, intact",
            "production: 1 releases, 1 events, intact",
            "no environment: 2 events, intact",
        ]
    finally:
        world.store.close()


def test_an_archive_can_be_verified_by_itself(written: World) -> None:
    """Each line holds all that its hash covers, but for the hash before it."""
    previous: dict[str, bytes] = {}
    rows = [json.loads(line) for line in export(written.database.service_url, [], None, None)]
    assert [row["id"] for row in rows] == list(range(1, 15))
    for row in rows:
        moment = datetime.fromisoformat(row["created_at"])
        micros = int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + moment.microsecond
        details = json.dumps(row["details"], ensure_ascii=False)
        fields = {name: row[name] for name in Event._fields if name in row} | {"details": details}
        content = audit_content(row["chain"], Event(**fields, created_at_us=micros))
        digest = hashlib.sha256(previous.get(row["chain"], b"") + content.encode()).digest()
        assert digest.hex() == row["hash"]
        previous[row["chain"]] = digest


def test_an_archive_is_of_what_was_asked_for(written: World) -> None:
    """By environment, whatever the chain; and by time."""
    url = written.database.service_url

    def ids(*envs: str, since: datetime | None = None, until: datetime | None = None) -> list[int]:
        return [json.loads(line)["id"] for line in export(url, envs, since, until)]

    assert ids("production") == [9, 11, 12, 13, 14]
    assert ids("production", "staging", "development") == [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14]
    (row,) = written.query("SELECT created_at FROM audit_event WHERE id = 6")
    assert ids(since=row["created_at"]) == list(range(6, 15))
    assert ids(until=row["created_at"]) == list(range(1, 6))
    assert ids(until=datetime(2000, 1, 1, tzinfo=UTC)) == []
    with pytest.raises(SetupError, match="there is no environment nowhere: there are development, production, staging"):
        ids("nowhere")


HEAD = '{"at": "now", "releases": {}, "events": {"": {"number": 1, "hash": "%s"}}}'


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"{}",
        b"[]",
        b"null",
        (HEAD % ("g" * 64)).encode(),
        (HEAD % ("a" * 63)).encode(),
        (HEAD % ("a" * 64)).replace("1", "-1").encode(),
        (HEAD % ("a" * 64)).replace('"now"', '"now", "more": 1').encode(),
    ],
)
def test_what_is_no_head_is_refused_in_one_line(text: bytes) -> None:
    """It says what prints one."""
    with pytest.raises(SetupError, match=r"^--head is not what `configsvc audit head` prints: .") as caught:
        read_head(text)
    assert "\n" not in str(caught.value)


def test_a_head_is_read_as_it_was_printed(written: World) -> None:
    """Nothing is lost on the way."""
    kept = head(written.database.service_url)
    assert read_head(kept.model_dump_json().encode()) == kept
    assert {name: tail.number for name, tail in kept.events.items()} == {"": 10, "development": 8, "production": 14}
    assert {name: tail.number for name, tail in kept.releases.items()} == {
        "development": 6,
        "staging": 0,
        "production": 2,
    }


def test_python_writes_the_json_that_postgres_writes(world: World) -> None:
    """Control characters, U+2028, DEL, quotes, what is beyond 16 bits; nothing in between is treated otherwise."""
    every = "".join(chr(code) for code in (*range(1, 0xD800), *range(0xE000, 0x11000), *range(0x1F000, 0x20000)))
    details = json.dumps({"text": every, "list": [1, -0.5, True, None], "empty": {}}, ensure_ascii=False)
    event = Event(1, every, 2**62, every, every, every, every, [every, ""], details, 1_764_320_400_123_456, b"")
    (row,) = world.query(
        "SELECT d.details::text, audit_content(%s, %s, %s, %s, %s, %s, %s, %s, d.details,"
        " '2025-11-28T09:00:00.123456Z')"
        " FROM (SELECT %s::jsonb AS details) AS d",
        *(every, *event[1:8], details),
    )
    assert audit_content(every, event._replace(details=row["details"])) == row["audit_content"]
