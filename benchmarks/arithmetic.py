"""The arithmetic of docs/scaling.md: what so many clients cost, before one has them. Counts, no times.

tests/integration/test_arithmetic.py holds it against what Postgres and Redis count, at sizes that fit on one machine.

    python -m benchmarks.arithmetic --clients 50000 --workers 8 --releases-per-hour 60
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

#: How often a client with push syncs, and how many such syncs a second a worker lets come (``delivery/pace.py``).
SYNC_EVERY_S, SYNCS_PER_S_MAX, SYNC_EVERY_S_MAX = 30, 200, 300
#: Every second: a worker's look at the revisions, and the reports of its clients in one statement; the relay's turn.
PER_WORKER_S, PER_RELAY_S = 2, 1
#: A worker's memory of a token's rights.
RIGHTS_S = 5
#: Of a write: rights, definition, commit; of its relay: turn, changes, mark.
PER_WRITE, PER_PUBLISH = 3, 3
#: A worker with held requests: rights and state, shared, at most so often however many are held.
SHARED_PER_S_MAX = 2 * 10
_KIB = 1024
#: Of a held request (benchmarks/README.md), and of an idle worker (taken as known, not counted).
HELD_KIB, WORKER_KIB = 25.4, 90 * _KIB


def delivered_bytes(channel: str, frame: bytes) -> int:
    """What Redis sends to one subscriber for one message: the frame, and what RESP puts around it."""
    words = (b"message", channel.encode(), frame)
    return len(b"*3\r\n") + sum(len(b"$%d\r\n" % len(word)) + len(word) + len(b"\r\n") for word in words)


@dataclass(frozen=True)
class Size:
    """What is asked about. ``workers``: of all machines."""

    clients: int
    workers: int
    relays: int = 1
    releases_per_h: float = 60

    @property
    def sync_every_s(self) -> float:
        """How often each client is asked to sync."""
        return min(max(SYNC_EVERY_S, self.clients / self.workers / SYNCS_PER_S_MAX), SYNC_EVERY_S_MAX)

    @property
    def syncs_per_s(self) -> float:
        """Regular ones, of all clients."""
        return self.clients / self.sync_every_s

    @property
    def statements_per_client_h(self) -> float:
        """A look-up for each regular sync, and for the one that reports a release: fewer where they come together."""
        return 3600 / self.sync_every_s + self.releases_per_h

    @property
    def statements_per_s(self) -> float:
        """Of all: clients, workers, relays, writes."""
        own = self.workers * (PER_WORKER_S + 1 / RIGHTS_S) + self.relays * PER_RELAY_S
        writes = self.releases_per_h / 3600 * (PER_WRITE + PER_PUBLISH)
        return own + writes + self.clients * self.statements_per_client_h / 3600

    def redis_bytes_per_release(self, header: int, part: int, interested: int) -> int:
        """To all clients: the header to each, a part of so many bytes to those who follow its namespace."""
        return self.clients * header + interested * part

    @property
    def held_mib_per_worker(self) -> float:
        """While push is down and all poll."""
        return (WORKER_KIB + self.clients / self.workers * HELD_KIB) / _KIB


def main(words: Sequence[str]) -> None:
    """Print what a size costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arithmetic")
    parser.add_argument("--clients", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=4, help="of all machines")
    parser.add_argument("--relays", type=int, default=1, help="one leads, the others ask for the lease")
    parser.add_argument("--releases-per-hour", type=float, default=60)
    parser.add_argument("--header-bytes", type=int, default=450, help="as delivered")
    parser.add_argument("--part-bytes", type=int, default=500, help="as delivered")
    given = parser.parse_args(words)
    size = Size(given.clients, given.workers, given.relays, given.releases_per_hour)
    release = size.redis_bytes_per_release(given.header_bytes, given.part_bytes, given.clients)
    syncs, each = size.syncs_per_s, given.clients / given.workers
    print(
        f"each client syncs every {size.sync_every_s:.0f} s: {syncs:.0f} syncs/s, {syncs / given.workers:.0f} a worker"
    )
    print(f"Postgres: {size.statements_per_client_h:.0f} statements an hour and client", end="")
    print(f", {size.statements_per_s:.0f} a second in all")
    print(f"Redis: heartbeats {given.clients * given.header_bytes / 1e6:.1f} MB/s, a release {release / 1e6:.1f} MB")
    print(f"a worker, while push is down: {each:.0f} held, {size.held_mib_per_worker:.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1:])
