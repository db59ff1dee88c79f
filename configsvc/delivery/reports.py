"""What clients say of themselves with every sync, written in batches: one statement a second, however many sync.

With nothing to write the statement is made all the same: it keeps the clock going by which clients are alive or lost.

Kept in memory between two writes. A worker that dies loses a second of reports, and each client reports again within
half a minute.
"""

import logging
import threading
import time
from collections.abc import Sequence

import psycopg

from configsvc.delivery.faults import FaultLog
from configsvc.delivery.pace import Pace
from configsvc.errors import Unavailable
from configsvc.store import watch as store
from configsvc.store.database import Database
from configsvc.store.watch import Report

log = logging.getLogger(__name__)

_WRITE_EVERY_S = 1.0
#: After a release thousands report together: making one statement of all would hold up the worker's other requests.
_WRITE_AT_A_TIME = 500
#: Clients remembered while Postgres is away; the newest report of each. More than a worker can hold requests for.
_CLIENTS_MAX = 20_000
_TIDY_EVERY_WRITES = 60
#: A client that misses two syncs in a row is lost: two intervals, and half of one for jitter and for the way.
_LIVE_SYNCS = 2.5
#: Not sooner than this: a client that polls backs off, and waits for its server too.
_LIVE_S_MIN = 75.0


class Reports:
    """Collects reports and writes them."""

    def __init__(self, database: Database, pace: Pace) -> None:
        """``pace``: counts the clients, and says how often they are asked to sync."""
        self._database = database
        self._pace = pace
        self._lock = threading.Lock()
        self._pending: dict[str, tuple[Report, float]] = {}
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._faults = FaultLog(log, "reports: Postgres")

    def start(self) -> None:
        """Start to write; again is fine. Call it in the process that serves: a thread does not survive a fork."""
        if self._thread is not None:  # asked with every request
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="configsvc-reports", daemon=True)
                self._thread.start()

    def add(self, report: Report) -> None:
        """Remember what a client said; it is written within a second."""
        self._pace.heard(report.client_id)
        with self._lock:
            self._keep(report, time.monotonic())

    def _keep(self, report: Report, said_at: float) -> None:
        known = self._pending.get(report.client_id)
        if len(self._pending) < _CLIENTS_MAX if known is None else _counts(report, known[0]):
            self._pending[report.client_id] = report, said_at

    def stop(self) -> None:
        """Write what is pending and stop; again is fine."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(2 * _WRITE_EVERY_S)

    def _run(self) -> None:
        writes = 0
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(_WRITE_EVERY_S)
            with self._lock:
                taken, self._pending = self._pending, {}
            try:
                self._write(list(taken.values()))
                writes += 1
                if writes % _TIDY_EVERY_WRITES == 0:
                    store.tidy(self._database)
                self._faults.worked()
            except Unavailable as error:
                self._faults.failed(error)
                with self._lock:
                    later, self._pending = self._pending, taken
                    for said in later.values():
                        self._keep(*said)
            except psycopg.Error as error:
                # What Postgres refuses it would refuse again: one bad report must not stop all that follow.
                self._faults.failed(error)

    def _write(self, taken: Sequence[tuple[Report, float]]) -> None:
        live_s = max(_LIVE_SYNCS * self._pace.next_sync_s(), _LIVE_S_MIN)
        for first in range(0, len(taken) or 1, _WRITE_AT_A_TIME):
            some, now = taken[first : first + _WRITE_AT_A_TIME], time.monotonic()
            store.report(self._database, [(report, now - said_at) for report, said_at in some], live_s)


def _counts(report: Report, before: Report) -> bool:
    """Tell whether a report is written in place of its client's one before; of two writes ``report_clients`` decides.

    After its leave comes what was still on its way. That of another token is not its own.
    """
    same = report.token_id == before.token_id
    return same if report.leaving else not (same and before.leaving)
