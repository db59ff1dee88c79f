"""The disk below Postgres: full, or failing to sync. Needs root, and strace for the second."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.dev.process import descendants
from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena
from tests.delivery import wait_until

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk and trace another user's processes"),
]

#: A new database cluster and its log of changes take about a third of it.
_DISK_BYTES = 200 * 2**20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that is easily full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)]
    if (made := subprocess.run(mounting, capture_output=True, text=True)).returncode != 0:
        pytest.skip(f"can't mount a small disk: {made.stderr.strip()}")
    disk.chmod(0o755)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_full(small_disk: Path, tmp_path: Path) -> None:
    """While there is no room, writes are refused with 503 and reads go on; with room again, writes do too."""
    with Stack(small_disk / "stack") as stack, Arena(stack, tmp_path) as arena:
        ballast = small_disk / "ballast"
        with arena.fault("the disk is full"):
            refused = len(arena.service.refusals_s)
            with ballast.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(2**16))
                    file.flush()
            arena.until(lambda: len(arena.service.refusals_s) >= refused + 3, "writes are refused")
            arena.last_for(5)
            ballast.unlink()
        arena.until_seen()
        arena.finish()
        assert arena.service.silences == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_failing_to_sync(tmp_path: Path) -> None:
    """Postgres panics rather than forget it: what was answered is there, what was not may be, and nothing is twice."""
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        log = tmp_path / "stack" / "logs" / "postgres.log"
        with arena.fault("syncs fail"), sync_fails(stack):
            arena.until(lambda: "PANIC" in log.read_text("utf-8"), "a sync has failed")
        arena.until_seen()
        arena.until_pushed()
        arena.finish()


@contextlib.contextmanager
def sync_fails(stack: Stack) -> Iterator[None]:
    """Inside, every Postgres process fails at its fifth sync of the log of changes."""
    pid = stack.part("postgres").pid
    assert pid is not None
    traced = [word for each in (pid, *descendants(pid)) for word in ("-p", str(each))]
    failing = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=5"]
    tracer = subprocess.Popen(["strace", "-f", "-o", "/dev/null", *failing, *traced], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text("utf-8"))
        yield
    finally:
        tracer.terminate()
        tracer.wait()
