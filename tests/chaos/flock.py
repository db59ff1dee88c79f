"""Many real clients in one process. Options as JSON in the first line of its input; then a revision a line.

Says "started" when all have loaded, and for each revision how many clients show it, at the latest after a minute.
"""

import contextlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor

from configclient import ConfigClient

_TIMEOUT_S = 60.0
_STARTING = 25


def main() -> None:
    """Run them until the input ends."""
    options = json.loads(sys.stdin.readline())
    count = options.pop("clients")

    def start(_: int) -> ConfigClient:
        return clients.enter_context(ConfigClient(**options, start_timeout_s=_TIMEOUT_S))

    with contextlib.ExitStack() as clients:
        with ThreadPoolExecutor(_STARTING) as starting:
            flock = list(starting.map(start, range(count)))
        print("started", flush=True)  # noqa: T201  # how it reports
        for line in sys.stdin:
            with ThreadPoolExecutor(count) as waiting:
                shown = waiting.map(lambda client, revision=int(line): client.wait_for(revision, _TIMEOUT_S), flock)
                print(sum(shown), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
