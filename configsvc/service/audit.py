"""The audit trail as people read it, and the events that no transaction of ours records by itself."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configsvc.domain.policy import Action
from configsvc.errors import Unavailable
from configsvc.service.access import Caller, require_place
from configsvc.store import audit as store
from configsvc.store.audit import Filter, Origin
from configsvc.store.database import Database, Row

log = logging.getLogger(__name__)

#: Refusals of one kind from one place within this time are one event that counts them: a flood is recorded, and floods
#: neither the database nor its reader.
TOGETHER_S = 10.0
#: Kinds remembered at a time; beyond it those of one caller are recorded as one, and beyond twice that, all of them.
KINDS_MAX = 1_000
MANY_KINDS = "of many kinds"


@dataclass(frozen=True)
class Refusal:
    """What was refused to whom; ``what``: method and path, or what was wrong with the token."""

    actor: str
    address: str
    action: str
    what: str
    env: str | None = None
    namespaces: tuple[str, ...] = ()


class Audit:
    """Reads the trail."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, caller: Caller, wanted: Filter, before: int, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        """Return a page of the events that are about what the caller may read, newest first, and where the next begins.

        What is about no namespace or environment is for admins: tokens, grants, and who failed to get in.
        """
        require_place(self._database, caller, wanted.namespace, wanted.env)
        rows = store.events(self._database, wanted, before, limit)
        visible = [seen for row in rows if (seen := _visible(caller, row))]
        return visible, rows[-1]["id"] if len(rows) == limit else None


def _visible(caller: Caller, row: Row) -> Row | None:
    """Return an event without the namespaces that the caller may not read; None if nothing is left."""
    if caller.may(Action.ADMINISTER, None, None):
        return row
    if not row["namespaces"]:
        return row if row["env"] is not None and caller.may(Action.READ, None, row["env"]) else None
    namespaces = [name for name in row["namespaces"] if caller.may(Action.READ, name, row["env"])]
    if len(namespaces) < len(row["namespaces"]) and not row["action"].startswith("release."):
        return None
    return {**row, "namespaces": namespaces} if namespaces else None


class Refusals:
    """Records refused writes and failed authentications: the first of a kind at once, its repeats soon, counted."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        #: Repeats of each kind since it was recorded.
        self._repeats: dict[Refusal, int] = {}

    def note(self, refusal: Refusal, request_id: str) -> None:
        """Record a refusal. It stands even where that fails: then the log has it."""
        with self._lock:
            if refusal not in self._repeats and len(self._repeats) >= KINDS_MAX:
                refusal = Refusal(refusal.actor, refusal.address, refusal.action, MANY_KINDS)
            if refusal not in self._repeats and len(self._repeats) >= 2 * KINDS_MAX:
                refusal = Refusal("", "", refusal.action, MANY_KINDS)
            if refusal in self._repeats:
                self._repeats[refusal] += 1
                return
            self._repeats[refusal] = 0
            if self._timer is None:
                self._timer = threading.Timer(TOGETHER_S, self.flush)
                self._timer.daemon = True
                self._timer.start()
        self._record(refusal, request_id, 1)

    def flush(self) -> None:
        """Record the repeats."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            repeats, self._repeats, self._timer = self._repeats, {}, None
        for refusal, times in repeats.items():
            if times:
                self._record(refusal, "", times)

    def _record(self, refusal: Refusal, request_id: str, times: int) -> None:
        origin = Origin(refusal.actor, request_id, refusal.address)
        details = {"what": refusal.what, "times": times}
        try:
            with self._database.connection() as connection:
                store.record(
                    connection, origin, refusal.action, details, env=refusal.env, namespaces=refusal.namespaces
                )
        except Unavailable:
            log.warning("the database does not answer; not in the audit trail: %s", refusal)
