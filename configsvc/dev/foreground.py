"""Running something in the foreground until the terminal, the shell or the system says stop."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Protocol

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Service(Protocol):
    """What can be started and stopped."""

    def start(self) -> None:
        """Return when it runs."""

    def stop(self) -> None:
        """Return when it has ended; nothing to do before ``start`` or twice."""


class _StopAsked(BaseException):
    """A signal came. No Exception, so that nothing on the way mistakes it for a failure of its own."""


def run_until_stopped(service: Service, ready: Callable[[], None]) -> None:
    """Start it, call ``ready``, wait for SIGINT, SIGTERM or SIGHUP (which may come during the start), and stop it."""
    for number in _SIGNALS:
        # nohup ignores SIGHUP for us, and means it. A script's `&` ignores SIGINT, and means the keyboard's.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _ask_to_stop)
    try:
        service.start()
        ready()
        threading.Event().wait()
    except _StopAsked:
        pass
    finally:
        service.stop()


def _ask_to_stop(_number: int, _frame: FrameType | None) -> None:
    # Stopping takes a bounded time; a second Ctrl-C must not leave it half done.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise _StopAsked
