"""The lookout: wakes requests that wait until all have a release. One per gunicorn worker.

One statement looks for all who wait, whatever they wait for, and none is made while nobody does. Workers write reports
independently, so what one waits for often arrives through another: hence a look at the database, and no event of ours.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg

from configsvc.delivery.faults import FaultLog
from configsvc.errors import Unavailable
from configsvc.store import watch as store
from configsvc.store.database import Database
from configsvc.store.watch import Reach

log = logging.getLogger(__name__)

#: Reports are written once a second; a look every quarter adds little to that.
_LOOK_EVERY_S = 0.25
#: However much there is to look at, it takes no more than one part in five of a connection's time.
_PAUSE_PER_LOOK = 4.0


@dataclass
class _Waited:
    """Who waits for one release, and how many."""

    arrived: threading.Event = field(default_factory=threading.Event)
    arrived_at: float = 0.0
    waiting: int = 0


class Lookout:
    """Lets requests wait for releases to arrive everywhere. Looks while somebody waits: its thread ends with them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._waited: dict[Reach, _Waited] = {}
        self._looking = False
        self._faults = FaultLog(log, "lookout: Postgres")

    def wait(self, reach: Reach, timeout_s: float) -> float | None:
        """Wait until all clients that a release concerns show it, and return when (monotonic); None in vain."""
        with self._lock:
            waited = self._waited.setdefault(reach, _Waited())
            waited.waiting += 1
            if not self._looking:
                self._looking = True
                threading.Thread(target=self._run, name="configsvc-lookout", daemon=True).start()
        try:
            return waited.arrived_at if waited.arrived.wait(timeout_s) else None
        finally:
            with self._lock:
                waited.waiting -= 1
                if waited.waiting == 0 and self._waited.get(reach) is waited:
                    del self._waited[reach]

    def end(self) -> None:
        """Wake all who wait, as if all had their releases: this process ends, and they are to be answered."""
        with self._lock:
            self._let_go(list(self._waited))

    def _run(self) -> None:
        pause_s = _LOOK_EVERY_S
        while True:
            time.sleep(pause_s)
            with self._lock:
                reaches = list(self._waited)
                if not reaches:
                    self._looking = False
                    return
            started = time.monotonic()
            self._look(reaches)
            pause_s = max(_LOOK_EVERY_S, _PAUSE_PER_LOOK * (time.monotonic() - started))

    def _look(self, reaches: Sequence[Reach]) -> None:
        try:
            arrived = store.converged(self._database, reaches)
            self._faults.worked()
        except (Unavailable, psycopg.Error) as error:
            self._faults.failed(error)
            return
        with self._lock:
            self._let_go(arrived)

    def _let_go(self, reaches: Iterable[Reach]) -> None:
        for reach in reaches:
            # Who comes from now on waits for a look of its own.
            if (waited := self._waited.pop(reach, None)) is not None:
                waited.arrived_at = time.monotonic()
                waited.arrived.set()
