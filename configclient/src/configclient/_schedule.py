"""When to sync next. Pure: every call is told the time (monotonic seconds), and chance comes from outside.

Two ways of living. While push is heard, a sync is a report and an insurance: every ~30 s, soon after a release was
applied, and soon after a doubt. While it is not, syncs follow one another, held for up to 5 s each: a long poll.
"""

import math
from collections.abc import Callable
from typing import Final

from ._state import SILENCE_S

HOLD_S_MAX: Final = 5.0  # the most the service holds a request
HERD_S: Final = 0.5  # what makes one client sync makes all: they spread over this
NEXT_SYNC_S: Final = 30.0  # until the service says otherwise
REPORT_WITHIN_S: Final = 2.0
AFTER_NEWS_S: Final = 0.1  # between the starts of two polls, so that a storm of releases is taken in gulps
AFTER_NOTHING_S: Final = 1.0  # the same where the service did not hold: it is short of room, or someone else's proxy
BACKOFF_FIRST_S: Final = 0.25
BACKOFF_MAX_S: Final = 3.0
RETRY_AFTER_S_MAX: Final = 60.0  # longer than that no service means it


class Schedule:
    """The timers of one client. Not thread-safe: its owner holds a lock."""

    def __init__(self, poll_interval_s: float, random: Callable[[], float]) -> None:
        self._poll_interval_s = poll_interval_s
        self._random = random
        self._heard_at: float | None = None
        self._doubt_at = math.inf
        self._report_at = math.inf
        self._regular_at = math.inf
        self._poll_at = math.inf
        self._not_before = -math.inf
        self._started_at = -math.inf
        self._wanted_no_hold = False
        self._report_within_s = REPORT_WITHIN_S
        self._failures = 0

    # What happened.

    def expect_push(self, now: float) -> None:
        """A listener was started: it has as long as any silence may last."""
        self._heard_at = now

    def heard(self, now: float) -> None:
        """A sign of life came by push."""
        self._heard_at = now

    def lost(self, now: float) -> bool:
        """The subscription broke, or silence lasted too long. True if push was counted on until now."""
        if self._heard_at is None:
            return False
        self._heard_at = None
        self._poll_at = now + HERD_S * self._random()
        return True

    def fell_silent(self, now: float) -> bool:
        """True once per silence: then something may have been missed, and polling begins."""
        silent = self._heard_at is not None and now - self._heard_at >= SILENCE_S
        return self.lost(now) if silent else False

    def doubted(self, dirty: bool, now: float) -> None:
        """Whether a sync is due now; only the change counts."""
        if not dirty:
            self._doubt_at = math.inf
        elif self._doubt_at == math.inf:
            self._doubt_at = now + HERD_S * self._random()

    def hurry(self, now: float) -> None:
        """Somebody is waiting for the very first load."""
        self._doubt_at = now

    def moved(self, now: float) -> None:
        """Another state was applied: report it in time, together with what follows until then."""
        # Drawn once: the least of many draws, in a storm of releases, would be a storm of reports.
        if self._report_at == math.inf:
            self._report_at = now + self._report_within_s * 0.9 * self._random()

    def started(self, now: float, dirty: bool) -> None:
        """A sync is on its way; it reports what was applied until now."""
        self._started_at = now
        self._wanted_no_hold = dirty or self.push_counts
        self._report_at = math.inf

    def answered(self, now: float, *, news: bool, next_sync_s: float, report_within_s: float) -> None:
        """It brought an answer, new or not."""
        self._failures = 0
        self._not_before = -math.inf
        self._report_within_s = report_within_s
        self._regular_at = now + next_sync_s * (0.9 + 0.2 * self._random())
        at_once = news or self._wanted_no_hold
        self._poll_at = self._started_at + (AFTER_NEWS_S if at_once else min(AFTER_NOTHING_S, self._poll_interval_s))

    def failed(self, now: float, *, refused: bool, retry_after_s: float | None) -> None:
        """It did not. `refused`: the service answered, and asking again soon is no use."""
        self._failures += 1
        if retry_after_s is not None:
            self._not_before = now + min(retry_after_s, RETRY_AFTER_S_MAX) + HERD_S * self._random()
        elif refused:
            # Never longer than poll_interval_s: after a fault of this kind, too, all is back within that.
            self._not_before = now + self._poll_interval_s * (0.7 + 0.2 * self._random())
        else:
            longest_s = min(BACKOFF_FIRST_S * 2.0 ** min(self._failures, 10), BACKOFF_MAX_S)
            backoff_s = longest_s * (0.5 + 0.5 * self._random())
            # A request may have taken long to fail, and a poll is to start at least every poll_interval_s.
            latest = max(self._started_at + self._poll_interval_s, now + AFTER_NEWS_S)
            self._not_before = min(now + backoff_s, latest)

    # What follows from it.

    @property
    def push_counts(self) -> bool:
        """Push is heard, or was started only just now."""
        return self._heard_at is not None

    def sync_at(self) -> float:
        """When the next sync is due; it may lie in the past."""
        routine = min(self._report_at, self._regular_at) if self.push_counts else self._poll_at
        return max(min(self._doubt_at, routine), self._not_before)

    def wake_at(self) -> float:
        """When to look again, if nothing happens before: a sync is due, or push has been silent too long."""
        silent_at = self._heard_at + SILENCE_S if self._heard_at is not None else math.inf
        return min(self.sync_at(), silent_at)

    def hold_s(self, dirty: bool) -> int:
        """How long the service may hold a sync that starts now: not while something is in doubt, or push brings it."""
        return 0 if dirty or self.push_counts else int(min(HOLD_S_MAX, self._poll_interval_s))
