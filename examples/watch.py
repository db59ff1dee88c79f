"""Prints a setting now, and again whenever it changes: ``python examples/watch.py payments rate_limit``.

CONFIGSVC_URL and CONFIGSVC_TOKEN say where the service is and who asks (``. .dev/env`` sets both).
"""

import os
import sys
import threading
from datetime import datetime

from configclient import Change, ConfigClient, ConfigError


def main() -> None:
    """Watch one key until Ctrl-C."""
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/watch.py NAMESPACE KEY")
    namespace, key = sys.argv[1:]
    environment = os.environ.get("CONFIGSVC_ENV", "development")

    def show(value: object, revision: int) -> None:
        print(
            f"{datetime.now().astimezone():%H:%M:%S.%f}  {namespace}/{key} = {value!r}  (revision {revision})",
            flush=True,
        )

    def changed(change: Change) -> None:
        show(change.new, change.revision)

    with ConfigClient("watch-example", environment, [namespace]) as client:
        # Called in the background, a few milliseconds after somebody changed the value.
        client.on_change(changed, namespace=namespace, key=key)
        # Reads are in-process: no request is sent here.
        show(client.get(namespace, key), client.snapshot().revision)
        threading.Event().wait()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except ConfigError as error:
        sys.exit(f"watch.py: {error}")
