"""One application: a process with a ConfigClient that says on its standard output what it shows, and when.

Reads its options (one line of JSON) from standard input, and ends when that is closed. Writes a line of JSON for each
state and each change of status. Logs go to standard error.
"""

import json
import logging
import sys
import threading
import time
from typing import Any

from configclient import ConfigClient, ConfigUnavailable
from configclient._table import MISSING

#: A client that goes back to an older revision wakes nobody who waits for a newer one: look this often.
_LOOK_EVERY_S = 0.05


def main() -> None:
    """Watch until standard input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    options = json.loads(sys.stdin.readline())
    over = threading.Event()
    threading.Thread(target=_end_with_stdin, args=[over], daemon=True).start()
    while not over.is_set():
        try:
            client = ConfigClient(**options)
        except ConfigUnavailable:
            continue
        with client:
            _watch(client, over)


def _end_with_stdin(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def _watch(client: ConfigClient, over: threading.Event) -> None:
    shown: Any = None
    told: Any = None
    while not over.is_set():
        snapshot = client.snapshot()
        at = time.monotonic()
        # Applications see the revision; the judge wants to know of which history.
        table = snapshot._table
        if table.cursor != shown:
            shown = table.cursor
            values = [[*name, entry.value] for name, entry in table.entries.items() if entry.value is not MISSING]
            _say(at=at, wall=time.time(), cursor=table.cursor, values=values)
        status = client.status()
        if (status.state, status.transport) != told:
            told = status.state, status.transport
            _say(at=at, state=status.state, transport=status.transport, error=status.last_error)
        client.wait_for(snapshot.revision + 1, _LOOK_EVERY_S)


def _say(**line: object) -> None:
    print(json.dumps(line), flush=True)  # noqa: T201  # how it reports


if __name__ == "__main__":
    main()
