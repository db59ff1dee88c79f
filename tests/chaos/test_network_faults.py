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

pytestmark = pytest.mark.long

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


#: After so long TCP would try again only 23 s later, and of all parts one after the other.
LONG_S = 28.0


def test_packets_of_redis_are_dropped(network: None, tmp_path: Path) -> None:
    """No connection breaks, and nothing arrives: found out by silence."""
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        with arena.calm(), arena.fault("packets are dropped", masked=True), dropped(stack.redis_url):
            arena.write(1)
            arena.last_for(10)
        arena.until_pushed()
        arena.until_seen()
        arena.finish()


def test_packets_of_postgres_are_dropped(network: None, tmp_path: Path) -> None:
    """Callers get their 503, and nobody waits for answers on a connection that is none."""
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        with arena.fault("packets are dropped"), dropped(stack.database_url):
            arena.last_for(LONG_S)
        arena.until_seen()
        arena.finish()
        assert arena.service.silences == []


def test_packets_of_the_service_are_dropped(network: None, tmp_path: Path) -> None:
    """Clients and those who write give up what is not answered, and ask again."""
    with Stack(tmp_path / "stack") as stack, Arena(stack, tmp_path) as arena:
        with arena.fault("packets are dropped"), dropped(stack.url):
            arena.last_for(LONG_S)
        arena.until_seen()
        arena.until_pushed()
        arena.finish()
