"""How a client stands, and since when: noted as it happens; for `status`, the log and the reports to the service.

Read and changed under `board.changed`. The rules are in `_status`.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from ._board import Board
from ._status import ClientState, Faults, Status, Transport, state_of, transport_of

log = logging.getLogger("configclient")


class Standing:
    """Of one client in one process."""

    def __init__(self, env: str, board: Board, clock: Callable[[], float]) -> None:
        self._env = env
        self._board = board
        self._clock = clock
        self.closed = False
        self.sync_fault: str | None = None
        self.push_fault: str | None = None
        self._heard = False
        self._synced_at: datetime | None = None
        self._current_at: float | None = None
        self._told: ClientState = "starting"
        self._since = datetime.now(UTC)

    def begin_anew(self) -> None:
        """For threads that are to be started: what failed before is no fault of theirs."""
        self.sync_fault = None
        self.unheard(None)
        self._told, self._since = "starting", datetime.now(UTC)

    def heard(self) -> None:
        """Push gave a sign of life."""
        self._heard, self.push_fault = True, None

    def unheard(self, fault: str | None) -> None:
        """Push is not to be counted on; why, where that is a fault."""
        self._heard, self.push_fault = False, fault

    def synced(self) -> None:
        """The service has answered."""
        self.sync_fault, self._synced_at = None, datetime.now(UTC)

    def current(self) -> None:
        """The state is known to be the newest."""
        self._current_at = self._clock()

    @property
    def transport(self) -> Transport:
        """How changes arrive now."""
        if self.closed:
            return "none"
        return transport_of(loaded=self._board.loaded, push_heard=self._heard, faults=self._faults())

    def tell(self) -> ClientState:
        """Note since when the state is what it is, and say so in the log."""
        faults = self._faults()
        state = state_of(loaded=self._board.loaded, closed=self.closed, transport=self.transport, faults=faults)
        if state != self._told:
            level = logging.INFO if state in ("live", "closed") else logging.WARNING
            log.log(level, "%s: %s%s", self._env, state, f": {faults.first}" if faults.first else "")
            self._told, self._since = state, datetime.now(UTC)
        return state

    def status(self) -> Status:
        """How things stand now."""
        staleness_s = None if self._current_at is None else max(0.0, self._clock() - self._current_at)
        return Status(
            transport=self.transport,
            state=self.tell(),
            revision=self._board.table.revision,
            since=self._since,
            last_sync_at=self._synced_at,
            staleness_s=staleness_s,
            last_error=self._faults().first,
        )

    def _faults(self) -> Faults:
        rejection = self._board.rejection
        return Faults(self.sync_fault, self.push_fault, rejection.reason if rejection else None)
