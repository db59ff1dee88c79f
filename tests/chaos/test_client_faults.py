"""The client's own process stands still, as in a debugger, a frozen container or a suspended machine."""

from pathlib import Path

import pytest

from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.chaos_long]


def test_paused(stack: Stack, tmp_path: Path) -> None:
    """Both kinds of client catch up after a pause, in order; the others notice nothing."""
    paused = ("pushed-1", "polling")
    with Arena(stack, tmp_path) as arena:
        with arena.fault("two clients are paused", who=paused):
            for name in paused:
                arena.clients[name].freeze()
            arena.last_for(20)
            for name in paused:
                arena.clients[name].resume()
        arena.until_seen()
        arena.until_pushed()
        arena.finish()
