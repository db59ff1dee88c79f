"""Does everybody have it? Which clients show a release, which don't yet, and which have fallen silent.

Only syncs tell it (`delivery.reports`). A client counts as soon as it has said, with a cursor of this history, that it
shows the release or a later one; what it is likely to have counts for nothing.

    a client that                   is
    shows the release               applied
    was heard, and shows it not     a laggard, with what it shows
    refused what came (`accept`)    rejected, with the reason; it shows what it showed before
    misses two syncs in a row       lost for 10 minutes, then forgotten; nobody waits for it
    takes its leave (`close`)       forgotten at once
    is killed, forks, restarts      lost under its old id like any other; a new process has a new id
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from configsvc.delivery.lookout import Lookout
from configsvc.service.access import Authenticate, Caller
from configsvc.service.history import History
from configsvc.service.holds import Holds
from configsvc.store import watch as store
from configsvc.store.database import Database, Row
from configsvc.store.watch import Reach


@dataclass(frozen=True)
class Standing:
    """How far a release has come.

    ``converged``: whether all watchers show it; None where nobody can say: there is no watcher, or they are not all
    known yet. ``times``: seconds from the commit to the report that made it half, 99 %, all; None while not reached.
    """

    watchers: int
    applied: int
    converged: bool | None
    laggards: Sequence[Row]
    lost: Sequence[Row]
    rejected: Sequence[Row]
    times: Mapping[str, float | None]


class Convergence:
    """Tells how far releases have come."""

    def __init__(self, database: Database, history: History, holds: Holds, lookout: Lookout) -> None:
        self._database = database
        self._history = history
        self._holds = holds
        self._lookout = lookout

    def standing(self, caller: Caller, authenticate: Authenticate, env: str, revision: int, wait_s: float) -> Standing:
        """Return how far a release has come with the clients of the namespaces that the caller may read.

        Answers as soon as all show it, at the latest after ``wait_s`` seconds.

        Raises:
            NotFound: no such release, or none that the caller may see.
            RateLimited: the caller has too many held requests. An answer at once would say that the time was over.
        """
        deadline = time.monotonic() + wait_s
        while True:
            release = self._history.visible(caller, env, revision)
            reach = Reach(release["env_id"], revision, tuple(release["namespaces"]))
            # In this order: a report and the time that it completes are written together.
            followers = store.followers(self._database, reach)
            standing = _standing(revision, followers, store.progress(self._database, reach))
            left_s = self._holds.left_s(deadline)
            if standing.converged or left_s <= 0:
                return standing
            caller, _ = self._holds.hold(
                caller,
                authenticate,
                lambda again: self._history.visible(again, env, revision),
                partial(self._lookout.wait, reach),
                left_s,
            )


def _standing(revision: int, followers: Sequence[Row], progress: Row) -> Standing:
    live = [row for row in followers if row["live"]]
    behind = [row for row in live if row["revision"] < revision]
    return Standing(
        watchers=len(live),
        applied=len(live) - len(behind),
        converged=not behind if live and progress["complete"] else None,
        laggards=[row for row in behind if row["rejected"] is None],
        lost=[row for row in followers if not row["live"]],
        rejected=[row for row in behind if row["rejected"] is not None],
        times={name: progress[name] for name in ("p50_s", "p99_s", "all_s")},
    )
