"""The demo, run as a stranger runs it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo import report
from examples.demo.fleet import ROOT, SERVICES
from examples.demo.shop import read_day, read_settings

TIMEOUT_S = 110


@pytest.fixture
def demo() -> Iterator["subprocess.Popen[str]"]:
    """``make demo`` without make, with nothing set and nothing running."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CONFIGSVC_")}
    with subprocess.Popen(
        [sys.executable, "-m", "examples.demo"],
        cwd=ROOT,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        yield process
        if process.poll() is None:
            process.send_signal(signal.SIGINT)


@pytest.mark.long
def test_the_demo_tells_its_story_and_exits_0(demo: "subprocess.Popen[str]") -> None:
    """Every release has a line with an arrival in each process, before, during and after Valkey's absence."""
    told, _ = demo.communicate(timeout=TIMEOUT_S)
    assert demo.returncode == 0, told
    releases = [line for line in told.splitlines() if re.match(r" +\d+  ", line)]
    assert len(releases) == sum(len(part) for part in read_day().values())
    assert all(len(re.findall(r"[\d.,]+ (?:ms|s)\b", line)) == 1 + len(SERVICES) for line in releases), told
    assert told.count("p99") == len(read_day())
    assert "all hear by longpoll" in told
    assert "MISSED" not in told
    assert told.rstrip().splitlines()[-1].startswith("Every process saw every change")


@pytest.mark.long
def test_the_demo_fails_when_one_process_misses_a_change(demo: "subprocess.Popen[str]") -> None:
    """With one application killed halfway the demo goes on, names it and what it missed, and exits 1."""
    assert demo.stdout is not None
    told = ""
    for line in demo.stdout:
        told += line
        if line.startswith("3 "):
            os.kill(_child(demo.pid, "worker"), signal.SIGKILL)
    demo.wait(TIMEOUT_S)
    assert demo.returncode == 1, told
    assert "MISSED" in told
    assert "FAULT  worker never showed revision" in told
    assert "FAULT  worker ended early" in told
    assert "FAULT  checkout" not in told


def test_the_shop_is_a_real_looking_one() -> None:
    """Some 100 keys of all five types over three namespaces; every release of its day changes what is there."""
    settings = read_settings()
    entries = [entry for keys in settings.values() for entry in keys.values()]
    assert len(settings) == 3
    assert 90 <= len(entries) <= 120
    assert {entry["type"] for entry in entries} == {"string", "int", "float", "bool", "json"}
    now = {(namespace, key): entry["value"] for namespace, keys in settings.items() for key, entry in keys.items()}
    for release in (release for part in read_day().values() for release in part):
        for change in release.changes:
            name = change["namespace"], change["key"]
            assert now[name] != change["value"], (release.note, name)
            assert type(now[name]) is type(change["value"]), (release.note, name)
            now[name] = change["value"]


def test_percentiles_are_samples() -> None:
    """Nearest rank: a percentile is a value that was measured."""
    samples = [float(n) for n in range(100, 0, -1)]
    assert [report.percentile(samples, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 50.0, 99.0, 100.0]
    assert report.percentile([7.0], 0.99) == 7.0


def _child(parent: int, service: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "cmdline").is_file():
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            if "examples.demo.app" in command and service in command and _parent(entry) == parent:
                return int(entry.name)
    raise AssertionError(f"no application {service} runs under {parent}")


def _parent(entry: Path) -> int:
    return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
