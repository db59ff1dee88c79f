"""`configsvc audit` from the outside: what it prints, and with which exit code."""

import json
import subprocess
from pathlib import Path

import pytest

from configsvc.store.database import connect
from tests.fix_database import Database
from tests.integration.dev.running import COMMAND, refusal, surroundings


@pytest.fixture
def recorded(database: Database) -> Database:
    """A database with two tokens made at the command line."""
    for name in ("one", "two"):
        _run(database, "token", "create", "--name", name, "--role", "ops")
    return database


def _run(database: Database, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=30,
        env=surroundings(CONFIGSVC_DATABASE_URL=database.service_url),
        input=stdin,
    )


def test_verify_prints_a_line_for_each_chain(recorded: Database) -> None:
    """And takes the head from standard input."""
    head = _run(recorded, "audit", "head")
    assert (head.returncode, head.stderr) == (0, "")
    done = _run(recorded, "audit", "verify", "--head", "-", stdin=head.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        *(f"{env}: 0 releases, 0 events, intact" for env in ("development", "staging", "production")),
        "no environment: 2 events, intact",
    ]


def test_verify_fails_where_a_row_was_altered_and_where_the_tail_was_cut(recorded: Database, tmp_path: Path) -> None:
    """Exit code 1, and the row by name."""
    file = tmp_path / "head.json"
    file.write_text(_run(recorded, "audit", "head").stdout)
    with connect(recorded.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica; DELETE FROM audit_event WHERE id = 2")
        cut = _run(recorded, "audit", "verify", "--head", str(file))
        assert (cut.returncode, cut.stderr) == (1, "")
        at = json.loads(file.read_text())["at"]
        assert f"no environment: audit event 2: is not there, and is in the head of {at}" in cut.stdout.splitlines()
        connection.execute("UPDATE audit_event SET actor = 'mallory' WHERE id = 1")
    altered = _run(recorded, "audit", "verify")
    assert (altered.returncode, altered.stderr) == (1, "")
    assert "audit event 1 of no environment: its content, or" in altered.stdout


def test_a_file_that_is_no_head_is_refused_in_one_line(recorded: Database, tmp_path: Path) -> None:
    """It says what prints one."""
    (tmp_path / "head.json").write_text("[]")
    variables = surroundings(CONFIGSVC_DATABASE_URL=recorded.service_url)
    line = refusal([*COMMAND, "audit", "verify", "--head", str(tmp_path / "head.json")], variables)
    assert "--head is not what `configsvc audit head` prints" in line


@pytest.mark.parametrize("word", ["verify", "head", "export"])
def test_a_database_that_is_not_there_is_named_in_one_line(word: str) -> None:
    """No stack trace, and no password."""
    variables = surroundings(CONFIGSVC_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:1/c")
    line = refusal([*COMMAND, "audit", word], variables)
    assert "Connection refused" in line
    assert "hunter2" not in line


def test_export_prints_one_event_a_line(recorded: Database) -> None:
    """Oldest first, each with its hash; times are UTC where they name no zone."""
    done = _run(recorded, "audit", "export", "--since", "2020-01-01", "--until", "2999-01-01T00:00:00Z")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["id"], row["action"], len(row["hash"])) for row in rows] == [
        (1, "token.create", 64),
        (2, "token.create", 64),
    ]
    assert _run(recorded, "audit", "export", "--until", "2020-01-01").stdout == ""


def test_export_into_a_closed_pipe_is_silent(recorded: Database) -> None:
    """As `| head` does it."""
    with connect(recorded.superuser_url) as connection:
        connection.execute(
            "INSERT INTO audit_event (chain, action, actor, request_id, address, namespaces, details, hash)"
            " SELECT 0, 'a', 'b', 'c', 'd', '{}', '{}', sha256('') FROM generate_series(1, 10000)"
        )
    with subprocess.Popen(
        [*COMMAND, "audit", "export"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(CONFIGSVC_DATABASE_URL=recorded.service_url),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["id"] == 1
        process.stdout.close()
        assert process.stderr.read() == b""
