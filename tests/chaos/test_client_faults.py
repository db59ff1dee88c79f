"""The client's own process stands still, as in a debugger, a frozen container or a suspended machine."""

import contextlib
from pathlib import Path

import pytest

from configsvc.dev.stack import Stack
from tests.chaos import door
from tests.chaos.arena import CLIENTS, Arena
from tests.chaos.door import Door
from tests.delivery import wait_until

pytestmark = pytest.mark.long

PAUSED = ("pushed-1", "polling")


def test_paused(stack: Stack, tmp_path: Path) -> None:
    """Both kinds of client catch up after a minute, in order, whatever waits for them; the others notice nothing.

    The pushed one is paused while it waits for an answer that is older than what it shows already: it finds that
    answer, and a minute of messages.
    """
    with contextlib.ExitStack() as cleanup:
        slow = cleanup.enter_context(Door(stack.url))
        options = {**CLIENTS, "pushed-1": {"url": slow.url}}
        arena = cleanup.enter_context(Arena(stack, tmp_path, options))
        arena.until_pushed()
        with arena.fault("two clients are paused", who=PAUSED):
            asked = slow.requests
            slow.shut(door.late)
            wait_until(lambda: slow.requests > asked)
            arena.until_seen("pushed-1")
            for name in PAUSED:
                arena.clients[name].freeze()
            slow.open()
            arena.last_for(60)
            for name in PAUSED:
                arena.clients[name].resume()
        arena.until_seen()
        arena.until_pushed()
        arena.finish()
