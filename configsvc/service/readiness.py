"""Whether this process can serve, and what of its surroundings is not as it should be."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from configsvc.delivery.pulse import Pulse
from configsvc.errors import Unavailable
from configsvc.store import readiness as store
from configsvc.store.database import Database
from configsvc.together import Together

#: Probes of many balancers share one look.
CACHE_S = 1.0
#: Published within milliseconds as a rule, and within 5 s after one fault. Beyond it something is wrong.
LATE_S = 5.0


@dataclass(frozen=True)
class Readiness:
    """Each part in a word: ``ok``, or what is wrong with it. ``unpublished_s``: how old what waits for a relay is."""

    parts: Mapping[str, str]
    unpublished_s: float

    @property
    def ready(self) -> bool:
        """Whether requests can be served: Postgres answers, and has what this code needs.

        A newer schema is served on: it only expands (docs/operations.md). Without Redis or a relay clients poll, here.
        """
        return self.parts["postgres"] == "ok" and self.parts["schema"] in ("ok", "ahead")

    @property
    def whole(self) -> bool:
        """Whether changes are pushed, too."""
        return self.ready and self.parts["redis"] == "ok" and self.parts["relay"] == "ok"


class Probe:
    """Looks at Postgres and Redis when it is asked, at most once a second."""

    def __init__(self, database: Database, pulse: Pulse) -> None:
        self._database = database
        self._pulse = pulse
        self._look = Together[None, Readiness](lambda _: self._read())

    def readiness(self) -> Readiness:
        """Return how things stand, or stood at most a second ago."""
        return self._look(None, since=time.monotonic() - CACHE_S)

    def _read(self) -> Readiness:
        parts = {"postgres": "down", "schema": "unknown", "relay": "unknown"}
        unpublished_s = 0.0
        try:
            parts["schema"] = store.schema(self._database)
            parts["postgres"] = "ok"
            if parts["schema"] != "behind":
                leads, unpublished_s = store.relay(self._database)
                parts["relay"] = "late" if unpublished_s > LATE_S else "ok" if leads else "none"
        except Unavailable:
            parts["postgres"] = "down"
        parts["redis"] = "ok" if self._pulse.beats() else "down"
        return Readiness(parts, round(unpublished_s, 1))
