"""Packets that vanish without a word, in a network namespace of the test's own, where nothing else is hurt.

Needs root, iproute2 (`ip`) and nftables (`nft`).
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.chaos_long]

_CLONE_NEWNET = 0x40000000
_MISSING = [program for program in ("ip", "nft") if shutil.which(program) is None]
_DROP = """
table inet faults {{
    chain incoming {{
        type filter hook input priority 0; policy accept;
        tcp dport {port} drop
        tcp sport {port} drop
    }}
}}
"""


@pytest.fixture
def network() -> Iterator[None]:
    """What starts from here on has a network of its own, until the test ends."""
    if _MISSING or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(_MISSING) or 'nothing else'}")
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET) != 0:
            pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        try:
            run("ip link set lo up")
            yield
        finally:
            assert libc.setns(before, _CLONE_NEWNET) == 0
    finally:
        os.close(before)


def run(command: str, stdin: str = "") -> None:
    """Run a command that has to succeed."""
    subprocess.run(command.split(), input=stdin, text=True, check=True)


@contextlib.contextmanager
def dropped(url: str) -> Iterator[None]:
    """Inside, every packet from and to the server of this address vanishes."""
    run("nft -f -", _DROP.format(port=urlsplit(url).port))
    yield
    run("nft delete table inet faults")


# TCP sends again and again, ever later: after 28 s it would need as long again to notice that it may.
@pytest.mark.parametrize(("part", "duration_s"), [("valkey", 8), ("postgres", 10), ("web", 28)])
def test_packets_are_dropped(network: None, tmp_path: Path, part: str, duration_s: float) -> None:
    """No connection breaks, and nothing arrives: found out by silence, never waited for without an end."""
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        urls = {"valkey": stack.redis_url, "postgres": stack.database_url, "web": stack.url}
        with arena.calm(), arena.fault(f"packets of {part} are dropped", masked=part == "valkey"), dropped(urls[part]):
            if part == "valkey":
                arena.write(1)
            arena.last_for(duration_s)
        arena.until_pushed()
        arena.until_seen()
        arena.finish()
