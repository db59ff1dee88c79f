"""The sweeper: the leading relay forgets rows that have served their time, a little now and then.

It walks round the tables, some pages at a time, so that one sweep costs the same whatever has piled up. A new leader
begins at the front.
"""

import random
import time

from configsvc.store import leftovers
from configsvc.store.database import Connection
from configsvc.store.leftovers import Table

#: Some thousand rows. At this rate the sweeper keeps up with 300 writes a second.
PAGES_AT_A_TIME = 64
EVERY_S = 10.0


class Sweeper:
    """Sweeps when it is time, on the connection of whoever asks."""

    def __init__(self) -> None:
        self._next: dict[Table, int] = dict.fromkeys(leftovers.TABLES, 0)
        self._due_at = time.monotonic() + EVERY_S * random.random()  # noqa: S311  # jitter, no secret

    def sweep(self, connection: Connection) -> None:
        """Sweep some pages of each table if that is due.

        Raises:
            psycopg.Error: the next time it goes on at the same place.
        """
        if time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + EVERY_S * (0.5 + random.random())  # noqa: S311
        for table, length in leftovers.pages(connection).items():
            page = self._next[table] if self._next[table] < length else 0
            leftovers.forget(connection, table, page, PAGES_AT_A_TIME)
            self._next[table] = page + PAGES_AT_A_TIME
