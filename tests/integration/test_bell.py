"""The one wait for notifications, the time, and the end."""

import time

from configsvc.delivery.bell import Bell
from configsvc.store import outbox
from configsvc.store.database import connect
from tests.fix_database import Database

#: Long: what is there ends the wait before.
LONG_S = 15.0


def test_what_comes_with_the_answer_to_a_statement_is_heard(database: Database) -> None:
    """A notification that arrives while the connection waits for an answer ends the next wait, once."""
    bell = Bell()
    with connect(database.service_url) as connection:
        bell.hear(connection)
        outbox.listen(connection)
        connection.execute("SELECT pg_notify('configsvc', 'production:7')")
        assert bell.wait_for_hints(connection, time.monotonic() + LONG_S) == ["production:7"]
        assert bell.wait_for_hints(connection, time.monotonic()) == []
    bell.close()
