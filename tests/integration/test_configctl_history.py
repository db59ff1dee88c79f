"""The real command against the real service: every state can be named, compared and put back from the command line."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from configclient.cli._app import run

COMMAND = [sys.executable, "-c", "from configclient.cli import main; main()"]
# Five and a half hours east of Greenwich, without a table of zones.
TIME_ZONE, OFFSET = "XST-5:30", "+05:30"


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Configctl:
    """The command, as ``start`` starts it with arguments and an environment."""

    start: Callable[[list[str], dict[str, str]], Outcome]

    def __call__(self, *args: str, **environ: str) -> Outcome:
        """Run it to its end."""
        return self.start(list(args), environ)

    def lines(self, *args: str) -> list[str]:
        """What it printed; it has to succeed."""
        outcome = self(*args)
        assert outcome.code == 0, outcome
        return outcome.out.splitlines()

    def json(self, *args: str) -> Any:
        """What ``-o json`` prints."""
        return json.loads("".join(self.lines(*args, "-o", "json")))

    def put(self, namespace: str, key: str, value: str, *more: str) -> int:
        """Set an int; gives the revision."""
        return int(self.json("set", namespace, key, value, "--type", "int", *more)["revision"])

    def values(self, namespace: str, *more: str) -> dict[str, Any]:
        """All values of a namespace."""
        return {key: entry["value"] for key, entry in self.json("list", namespace, *more)["values"].items()}

    def time_of(self, revision: int) -> str:
        """The time of a release, as ``show`` prints it."""
        return self.lines("show", str(revision))[1].split()[1]


@pytest.fixture
def environ(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What ``. .dev/env`` gives, for a developer far from Greenwich."""
    monkeypatch.setenv("CONFIGSVC_URL", stack.url)
    monkeypatch.setenv("CONFIGSVC_TOKEN", stack.tokens["developer"])
    monkeypatch.setenv("CONFIGSVC_ENV", "development")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", TIME_ZONE)
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def configctl(environ: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Configctl:
    """The command in this process: starting one 150 times would take longer than all that it does."""

    def start(args: list[str], more: dict[str, str]) -> Outcome:
        with monkeypatch.context() as inside:
            for name, value in more.items():
                inside.setenv(name, value)
            code = run(args)
        return Outcome(code, *capsys.readouterr())

    return Configctl(start)


@pytest.fixture
def shell(environ: None) -> Configctl:
    """The command in a process of its own, as the shell would start it."""

    def start(args: list[str], more: dict[str, str]) -> Outcome:
        ended = subprocess.run(
            [*COMMAND, *args], capture_output=True, text=True, timeout=60, env=os.environ | more, check=False
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    return Configctl(start)


def refused(outcome: Outcome, code: int) -> str:
    """The one line of a failure with this exit code."""
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1), outcome
    return outcome.err


def columns(line: str) -> list[str]:
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_the_history_of_a_key_says_who_made_it_what_when_and_why(configctl: Configctl, namespace: str) -> None:
    """Newest first: every version with its value, local time, person and note; a delete is a version too."""
    started = datetime.now(UTC)
    configctl.put(namespace, "limit", "100")
    second = configctl.put(namespace, "limit", "200", "--note", "Black Friday")
    configctl.lines("unset", namespace, "limit")
    head, gone, middle, first = configctl.lines("history", namespace, "limit")
    assert head.split() == ["VERSION", "REVISION", "VALUE", "WHEN", "WHO", "KIND", "NOTE"]
    assert columns(gone)[::2] == ["3", "(unset)", columns(middle)[4]]
    version, revision, value, when, who, kind, note = columns(middle)
    assert (version, revision, value, kind, note) == ("2", str(second), "200", "edit", "Black Friday")
    assert who == configctl.json("history", namespace, "limit")["items"][0]["changed_by"]
    assert when.endswith(OFFSET)
    assert started < datetime.fromisoformat(when) < datetime.now(UTC)
    assert columns(first)[2] == "100"


def test_a_long_history_is_shown_from_its_newest_end(configctl: Configctl, namespace: str) -> None:
    """--limit says how much; where there is more, a line for people says so."""
    for value in ("1", "2", "3"):
        configctl.put(namespace, "limit", value)
    short = configctl("history", namespace, "limit", "--limit", "2")
    assert [columns(line)[2] for line in short.out.splitlines()[1:]] == ["3", "2"]
    assert short.err == "these are the newest 2; more with --limit\n"
    whole = configctl("history", namespace, "limit", "--limit", "1000")
    assert (len(whole.out.splitlines()), whole.err) == (4, "")


def test_the_history_of_an_environment_has_every_release(
    configctl: Configctl, new_namespace: Callable[[], str]
) -> None:
    """Without a namespace all releases, with one only those that touch it; newest first."""
    mine, other = new_namespace(), new_namespace()
    first = configctl.put(mine, "limit", "1", "--note", "mine")
    second = configctl.put(other, "limit", "1", "--note", "of others")
    head, newest, before = configctl.lines("history", "--limit", "2")
    assert head.split() == ["REVISION", "WHEN", "WHO", "KIND", "NAMESPACES", "NOTE"]
    assert columns(newest)[::4] == [str(second), other]
    assert columns(before)[-2:] == [mine, "mine"]
    assert [item["revision"] for item in configctl.json("history", mine)["items"]] == [first]


def test_one_release_is_shown_with_all_that_it_changed(
    configctl: Configctl, stack: Any, new_namespace: Callable[[], str]
) -> None:
    """Who, when and why, then every key with both values, over all namespaces of the release."""
    one, two = sorted((new_namespace(), new_namespace()))
    configctl.put(one, "limit", "1")
    configctl.put(two, "limit", "1")
    changes = [{"namespace": one, "key": "limit", "value": 2}, {"namespace": two, "key": "limit", "delete": True}]
    revision = released(stack, changes, "both at once")
    _, release, *lines = configctl.lines("show", str(revision))
    assert columns(release)[-2:] == [f"{one} {two}", "both at once"]
    assert lines == [f"{one}/limit  1 → 2", f"{two}/limit  1 → (unset)"]
    assert [change["key"] for change in configctl.json("show", str(revision))["changes"]] == ["limit", "limit"]


def released(stack: Any, changes: list[dict[str, Any]], note: str) -> int:
    """Make one release of several changes, as a pipeline would; gives its revision."""
    request = urllib.request.Request(
        f"{stack.url}/v1/envs/development/releases",
        json.dumps({"changes": changes, "note": note}).encode(),
        {"Authorization": f"Bearer {stack.tokens['developer']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer)["revision"])


def test_diff_compares_two_states(configctl: Configctl, namespace: str) -> None:
    """Between two revisions, two times, or one and now: each key that differs with both values, and nothing else."""
    start = configctl.put(namespace, "limit", "1")
    configctl.put(namespace, "gone", "7")
    middle = configctl.put(namespace, "limit", "2")
    configctl.lines("unset", namespace, "gone")
    lines = [f"{namespace}/gone  (unset) → 7", f"{namespace}/limit  1 → 2"]
    assert configctl.lines("diff", namespace, "--from", str(start), "--to", str(middle)) == lines
    times = configctl.time_of(start), configctl.time_of(middle)
    assert configctl.lines("diff", namespace, "--from-time", times[0], "--to-time", times[1]) == lines
    assert configctl.lines("diff", namespace, "--from", str(start)) == lines[1:]
    (row,) = configctl.json("diff", namespace, "--from", str(start))["changes"]
    assert (row["from"]["value"], row["to"]["value"]) == (1, 2)
    same = configctl("diff", namespace, "--from", str(start), "--to", str(start))
    assert (same.code, same.out) == (0, "")
    assert same.err == f"development revision {start} → {start}: no difference\n"


def test_list_shows_what_was(configctl: Configctl, namespace: str) -> None:
    """At a revision, and at a time: with a zone, or in local time; the revision that a time means is said."""
    start = configctl.put(namespace, "limit", "1")
    configctl.put(namespace, "limit", "2")
    then = configctl.time_of(start)
    assert configctl.values(namespace) == {"limit": 2}
    assert configctl.values(namespace, "--revision", str(start)) == {"limit": 1}
    in_utc = datetime.fromisoformat(then).astimezone(UTC).isoformat().replace("+00:00", "Z")
    for typed in (then, then.removesuffix(OFFSET), then.removesuffix(OFFSET).replace("T", " "), in_utc):
        outcome = configctl("list", namespace, "--at", typed)
        assert columns(outcome.out.splitlines()[1]) == ["limit", "int", "1", "1"], typed
        assert outcome.err == f"{namespace} in development was of revision {start} at {then}\n"
    assert configctl.values(namespace, "--revision", "0") == {}


def test_rollback_puts_one_key_back(configctl: Configctl, namespace: str) -> None:
    """The old value returns as a new version; other keys stay; doing it again changes nothing."""
    configctl.put(namespace, "limit", "1")
    configctl.put(namespace, "limit", "2")
    last = configctl.put(namespace, "other", "5")
    rollback = ("rollback", namespace, "limit", "--to-version", "1", "--note", "too fast")
    assert configctl.lines(*rollback) == [f"{namespace}/limit  2 → 1  development revision {last + 1}"]
    assert configctl.lines(*rollback) == [f"{namespace}/limit  unchanged, development revision {last + 1}"]
    assert configctl.values(namespace) == {"limit": 1, "other": 5}
    newest = columns(configctl.lines("history", namespace, "limit")[1])
    assert (newest[0], newest[-2], newest[-1]) == ("3", "rollback", "too fast")


@pytest.mark.parametrize("by", ["revision", "time"])
def test_restore_puts_a_namespace_back(configctl: Configctl, namespace: str, by: str) -> None:
    """What changed returns, what was added goes, what was taken away comes back, in one release."""
    configctl.put(namespace, "gone", "7")
    start = configctl.put(namespace, "limit", "1")
    configctl.put(namespace, "limit", "2")
    configctl.put(namespace, "new", "9")
    configctl.lines("unset", namespace, "gone")
    state = ("--to-revision", str(start)) if by == "revision" else ("--at", configctl.time_of(start))
    place = f"development revision {start + 4}"
    assert configctl.lines("restore", namespace, *state) == [
        f"{namespace}/gone  (unset) → 7  {place}",
        f"{namespace}/limit  2 → 1  {place}",
        f"{namespace}/new  9 → (unset)  {place}",
    ]
    assert configctl.values(namespace) == {"gone": 7, "limit": 1}
    assert configctl.lines("restore", namespace, *state) == [f"{namespace}  unchanged, {place}"]


def test_undo_puts_one_release_back_and_keeps_what_came_after(configctl: Configctl, namespace: str) -> None:
    """Only what that release changed returns."""
    configctl.put(namespace, "limit", "1")
    mistake = configctl.put(namespace, "limit", "1000")
    later = configctl.put(namespace, "other", "5")
    assert configctl.lines("undo", str(mistake)) == [f"{namespace}/limit  1000 → 1  development revision {later + 1}"]
    assert configctl.values(namespace) == {"limit": 1, "other": 5}


def test_undo_names_what_is_in_its_way(configctl: Configctl, namespace: str) -> None:
    """Where a later release touched the same key, nothing is written, and the line says which and where."""
    mistake = configctl.put(namespace, "limit", "1000")
    later = configctl.put(namespace, "limit", "2000")
    line = refused(configctl("undo", str(mistake)), 5)
    assert f"{namespace}/limit (revision {later})" in line
    assert refused(configctl("undo", str(mistake), "--dry-run"), 5) == line
    assert configctl.values(namespace) == {"limit": 2000}
    configctl.lines("undo", str(later))
    assert configctl.values(namespace) == {"limit": 1000}


def test_a_dry_run_shows_the_change_and_writes_nothing(configctl: Configctl, namespace: str) -> None:
    """Each way to write shows exactly the lines of the change, says that nothing was written, and nothing was."""
    start = configctl.put(namespace, "limit", "1")
    newest = configctl.put(namespace, "limit", "2")
    back = f"{namespace}/limit  2 → 1  development, dry run\n"
    writes = {
        ("set", namespace, "limit", "3"): back.replace("→ 1", "→ 3"),
        ("set", namespace, "new", "3", "--type", "int"): f"{namespace}/new  (unset) → 3  development, dry run\n",
        ("unset", namespace, "limit"): back.replace("→ 1", "→ (unset)"),
        ("rollback", namespace, "limit", "--to-version", "1"): back,
        ("restore", namespace, "--to-revision", str(start)): back,
        ("undo", str(newest)): back,
        ("set", namespace, "limit", "2"): f"{namespace}/limit  2  unchanged, development revision {newest}\n",
    }
    for command, printed in writes.items():
        outcome = configctl(*command, "--dry-run")
        assert (outcome.code, outcome.out) == (0, printed), outcome
        assert outcome.err.startswith("dry run, nothing was written")
        assert outcome.err.count("\n") == 1
    answer = configctl.json("undo", str(newest), "--dry-run")
    assert [row["key"] for row in answer["diff"]] == ["limit"]
    assert configctl.json("history", "--limit", "1")["items"][0]["revision"] == newest
    assert configctl.values(namespace) == {"limit": 2}
    refused(configctl("set", namespace, "new", "3"), 3)  # the key was not declared either


def test_a_dry_run_in_production_says_that_it_takes_a_review(configctl: Configctl, stack: Any, namespace: str) -> None:
    """Whoever may write there learns what else it takes."""
    configctl.put(namespace, "limit", "1")
    outcome = configctl(
        *("set", namespace, "limit", "2", "--env", "production", "--dry-run"), CONFIGSVC_TOKEN=stack.tokens["ops"]
    )
    assert outcome.out == f"{namespace}/limit  (unset) → 2  production, dry run\n"
    assert "production requires a review" in outcome.err


def test_the_second_of_two_writers_is_refused(configctl: Configctl, namespace: str) -> None:
    """With --if-match nobody overwrites what he has not seen: exit code 5, and nothing is written."""
    start = configctl.put(namespace, "limit", "1")
    seen = configctl.json("list", namespace)
    version = f"v{seen['values']['limit']['version']}"
    newest = configctl.put(namespace, "limit", "2", "--if-match", version)
    for condition in (version, seen["cursor"], f'"r{seen["cursor"]}"'):
        for write in (
            ("set", namespace, "limit", "3"),
            ("unset", namespace, "limit"),
            ("rollback", namespace, "limit", "--to-version", "1"),
            ("restore", namespace, "--to-revision", str(start)),
            ("undo", str(newest)),
        ):
            refused(configctl(*write, "--if-match", condition), 5)
    assert configctl.values(namespace) == {"limit": 2}
    fresh = configctl.json("list", namespace)["cursor"]
    assert configctl("undo", str(newest), "--if-match", fresh).code == 0
    assert configctl.values(namespace) == {"limit": 1}


def test_a_setting_is_made_only_if_nobody_made_it_first(configctl: Configctl, namespace: str) -> None:
    """v0 means: while it has no value."""
    configctl.put(namespace, "limit", "1", "--if-match", "v0")
    refused(configctl("set", namespace, "limit", "2", "--if-match", "v0"), 5)


def test_each_failure_is_one_line_with_its_exit_code(configctl: Configctl, stack: Any, namespace: str) -> None:
    """What is not there, not allowed, or not meant is said in one line, and nothing is printed."""
    configctl.put(namespace, "limit", "1")
    failures = {
        "no such revision": (3, ("list", namespace, "--revision", "999999999")),
        "before the beginning": (3, ("list", namespace, "--at", "2001-01-01")),
        "nothing to show": (3, ("show", "999999999")),
        "no such key": (3, ("history", namespace, "no.such.key")),
        "no such version": (3, ("rollback", namespace, "limit", "--to-version", "99")),
        "nothing to undo": (3, ("undo", "999999999")),
        "no environment": (3, ("history", "--env", "nowhere")),
        "no time": (2, ("list", namespace, "--at", "last Tuesday")),
        "two states": (2, ("list", namespace, "--at", "2026-11-17", "--revision", "1")),
        "no state": (2, ("restore", namespace)),
        "nothing to compare": (2, ("diff", namespace)),
        "no version": (2, ("rollback", namespace, "limit")),
        "the empty beginning": (2, ("undo", "0")),
        "no state to match": (2, ("unset", namespace, "limit", "--if-match", "7")),
    }
    for what, (code, args) in failures.items():
        assert refused(configctl(*args), code).startswith("configctl: "), what
    viewer = stack.tokens["viewer"]
    refused(configctl("restore", namespace, "--to-revision", "0", CONFIGSVC_TOKEN=viewer), 4)
    assert configctl.values(namespace) == {"limit": 1}


def test_the_whole_story(shell: Configctl, namespace: str) -> None:
    """Several releases; what was it before; all of it back; one release undone, and what came later kept."""
    shell.put(namespace, "rate_limit", "100", "--note", "launch")
    good = shell.put(namespace, "timeout", "30", "--note", "launch")
    mistake = shell.put(namespace, "rate_limit", "10", "--note", "typo")
    shell.put(namespace, "timeout", "60", "--note", "slow partner")
    then = shell.time_of(good)

    assert shell.values(namespace, "--at", then) == {"rate_limit": 100, "timeout": 30}
    notes = [item["note"] for item in shell.json("history", namespace)["items"] if item["revision"] > good]
    assert notes == ["slow partner", "typo"]

    shell.lines("undo", str(mistake))
    assert shell.values(namespace) == {"rate_limit": 100, "timeout": 60}
    shell.lines("restore", namespace, "--at", then)
    assert shell.values(namespace) == {"rate_limit": 100, "timeout": 30}
    kinds = [item["kind"] for item in shell.json("history", namespace)["items"]]
    assert kinds == ["restore", "undo", "edit", "edit", "edit", "edit"]
