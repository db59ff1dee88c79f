"""Whether this process can serve, and what of its surroundings is not as it should be."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from configsvc.delivery.inquiry import Inquiry
from configsvc.delivery.pulse import Pulse
from configsvc.errors import Unavailable
from configsvc.store import readiness as store
from configsvc.store.database import POOL_WAIT_S, Database
from configsvc.together import Together

#: Probes of many balancers share one look.
CACHE_S = 1.0
#: Kubernetes gives a probe a second, unless it is told otherwise.
ANSWER_S = 0.8
#: Published within milliseconds as a rule, and within 5 s after one fault. Beyond it something is wrong.
LATE_S = 5.0


@dataclass(frozen=True)
class Readiness:
    """Each part in a word: ``ok``, or what is wrong with it. ``unpublished_s``: how old what waits for a relay is."""

    parts: Mapping[str, str]
    unpublished_s: float

    @property
    def ready(self) -> bool:
        """Whether requests can be served: Postgres answers, if slowly, and has what this code needs.

        A newer schema is served on: it only expands (docs/operations.md). Without Redis or a relay clients poll, here.
        """
        return self.parts["postgres"] != "down" and self.parts["schema"] in ("ok", "ahead")

    @property
    def whole(self) -> bool:
        """Whether changes are pushed, too."""
        return self.ready and all(self.parts[part] == "ok" for part in ("postgres", "redis", "relay"))


@dataclass(frozen=True)
class _Postgres:
    """What Postgres has answered of itself, of the schema and of the relay."""

    state: str
    schema: str = "unknown"
    relay: str = "unknown"
    unpublished_s: float = 0.0


_DOWN = _Postgres("down")


class Probe:
    """Looks at Postgres and Redis when it is asked, at most once a second, and answers whether they do or not."""

    def __init__(self, database: Database, pulse: Pulse, heard_at: Callable[[], float]) -> None:
        """``heard_at``: when Postgres last answered anybody here, by the monotonic clock."""
        self._database = database
        self._heard_at = heard_at
        self._postgres = Inquiry("configsvc-probe", self._ask_postgres)
        self._pulse = pulse
        self._known = _DOWN  # by the last answer, whether or not somebody still waited for it
        self._look = Together[None, Readiness](lambda _: self._read())

    def readiness(self) -> Readiness:
        """Return how things stand, or stood at most a second ago."""
        return self._look(None, since=time.monotonic() - CACHE_S)

    def _read(self) -> Readiness:
        postgres, redis = self._postgres.ask(), self._pulse.ask()
        until = time.monotonic() + ANSWER_S
        found = postgres.answer(until) or self._unanswered()
        parts = {
            "postgres": found.state,
            "schema": found.schema,
            "relay": found.relay,
            "redis": "ok" if redis.answer(until) else "down",
        }
        return Readiness(parts, round(found.unpublished_s, 1))

    def _unanswered(self) -> _Postgres:
        """Say that Postgres is slow, and no more, for as long as requests wait for it before they fail."""
        slow = self._known.state == "ok" and time.monotonic() - self._heard_at() < POOL_WAIT_S
        return replace(self._known, state="slow") if slow else _DOWN

    def _ask_postgres(self) -> _Postgres:
        self._known = self._postgres_now()
        return self._known

    def _postgres_now(self) -> _Postgres:
        try:
            schema = store.schema(self._database)
            if schema == "behind":
                return _Postgres("ok", schema)
            leads, unpublished_s = store.relay(self._database)
        except Unavailable:
            return _DOWN
        return _Postgres("ok", schema, "late" if unpublished_s > LATE_S else "ok" if leads else "none", unpublished_s)
