"""Hears of gevent's patches, which a gunicorn worker makes right after its fork, under clients that are running.

A thread from before the patches that goes on after them gets a greenlet of its own thread where it starts another
thread, and that one may read from a socket that blocks: both then stand still, for ever, with a lock held.
"""

import importlib
import sys
from collections.abc import Callable
from typing import Any, Final

_heard_by: Final[list[Callable[[Any], None]]] = []


def on_patches(*, before: Callable[[], None], after: Callable[[], None]) -> None:
    """From now on, call these around patches. Nothing where gevent is not imported (yet); again is fine."""
    if "gevent" not in sys.modules or _heard_by:
        return
    events: Any = importlib.import_module("gevent.events")

    def hear(event: Any) -> None:
        if isinstance(event, events.GeventWillPatchAllEvent):
            before()
        elif isinstance(event, events.GeventDidPatchAllEvent):
            after()

    _heard_by.append(hear)
    events.subscribers.append(hear)
