"""How the client is doing, for people, health checks and the service's list of watchers. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Transport = Literal["redis", "longpoll", "none"]
ClientState = Literal["starting", "live", "degraded", "offline", "rejected", "closed"]


@dataclass(frozen=True, slots=True)
class Status:
    """What `client.status()` answers.

    transport: how changes arrive now. `redis`: pushed. `longpoll`: by held requests. `none`: not at all.
    state: `starting` until the first load; `live`; `degraded`: up to date, but push or sync is down; `offline`: both
        are, the last values stay; `rejected`: `accept` refused the newest snapshot, an older one is shown; `closed`.
    revision: the revision that is shown. since: when this state began. last_sync_at: the last answer of the service.
    staleness_s: seconds since the shown values were last known to be the newest; None before the first load.
    last_error: why it is not `live`, in one line.
    """

    transport: Transport
    state: ClientState
    revision: int
    since: datetime
    last_sync_at: datetime | None
    staleness_s: float | None
    last_error: str | None


@dataclass(slots=True)
class Faults:
    """What is wrong now, one line each; None where nothing is."""

    sync: str | None = None
    push: str | None = None
    rejected: str | None = None

    @property
    def first(self) -> str | None:
        """The one to show: the most lasting first."""
        return self.rejected or self.sync or self.push


def transport_of(*, loaded: bool, push_heard: bool, faults: Faults) -> Transport:
    """How changes arrive now."""
    if push_heard:
        return "redis"
    return "longpoll" if loaded and faults.sync is None else "none"


def state_of(*, loaded: bool, closed: bool, transport: Transport, faults: Faults) -> ClientState:
    """The first that holds, from the most final to the best."""
    if closed:
        return "closed"
    if not loaded:
        return "starting"
    if faults.rejected is not None:
        return "rejected"
    if transport == "none":
        return "offline"
    return "degraded" if faults.sync is not None or faults.push is not None else "live"
