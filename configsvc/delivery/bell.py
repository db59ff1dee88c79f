"""One wait for three events: Postgres notified, the time has come, or we are to stop."""

import select
import socket
import threading
import time

from configsvc.store.database import Connection


class Bell:
    """Ends every wait, for good, once it has rung.

    A socket and not a ``threading.Event``, because a wait has to look at a connection too; ``poll`` and not ``select``,
    which fails in a process with more than 1,024 files open.
    """

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        self._hints: list[str] = []

    def ring(self) -> None:
        """End the wait of now and all later ones. May be called from any thread, more than once."""
        self._there.close()  # which the other end sees, now and for ever

    def close(self) -> None:
        """Let go of the sockets, when nobody waits any more."""
        self.ring()
        self._here.close()

    def ring_on(self, stop: threading.Event) -> None:
        """Ring when ``stop`` is set.

        In a thread of its own: a signal handler may set ``stop``, and Python's events can deadlock when the thread that
        waits for one is interrupted to set it.
        """

        def wait() -> None:
            stop.wait()
            self.ring()

        threading.Thread(target=wait, name="configsvc-bell", daemon=True).start()

    def pause(self, pause_s: float) -> bool:
        """Wait until it rings, at most ``pause_s``; whether it has rung."""
        return bool(_poll(pause_s, self._here.fileno()))

    def hear(self, connection: Connection) -> None:
        """Keep what a connection is notified of while it waits for the answer to a statement, for the next wait."""
        connection.add_notify_handler(lambda notification: self._hints.append(notification.payload))

    def wait_for_hints(self, connection: Connection, until: float) -> list[str]:
        """Wait until a connection that is heard is notified, the monotonic clock shows ``until``, or the bell rings.

        Returns the notifications' payloads, none if it was not notified.

        Raises:
            psycopg.Error: the connection is lost.
        """
        if hints := self._heard(connection):
            return hints
        _poll(until - time.monotonic(), self._here.fileno(), connection.fileno())
        connection.pgconn.consume_input()
        return self._heard(connection)

    def _heard(self, connection: Connection) -> list[str]:
        # From libpq itself: psycopg's generator polls three times for each, which every commit would pay for.
        while notification := connection.pgconn.notifies():
            self._hints.append(notification.extra.decode())
        hints, self._hints = self._hints, []
        return hints


def _poll(timeout_s: float, *files: int) -> list[tuple[int, int]]:
    poller = select.poll()
    for file in files:
        poller.register(file, select.POLLIN)
    return poller.poll(max(0.0, timeout_s) * 1000)
