"""One application of the shop: an ordinary user of configclient that says what it sees.

It writes JSON lines to its standard output and ends when its standard input does, so it never outlives the demo:

    {"event": "ready", "revision": 1, "keys": 101}
    {"event": "change", "namespace": …, "key": …, "value": …, "revision": 7, "at_ns": …}
    {"event": "transport", "transport": "redis", "at_ns": …}
    {"event": "broken", "why": …}
    {"event": "done", "snapshots": 8123}

``at_ns`` is the monotonic clock, which all processes of a machine share on Linux.
"""

import json
import sys
import threading
import time
from typing import Any

from configclient import Change, ConfigClient, Snapshot

ENVIRONMENT = "development"
NAMESPACES = ["storefront", "payments", "search"]
# How often the application looks at its settings, as a request handler would.
LOOK_INTERVAL_S = 0.002

_output = threading.Lock()


def main(service: str) -> None:
    """Follow the shop's settings as ``service`` until standard input ends."""
    with ConfigClient(service, ENVIRONMENT, NAMESPACES) as client:
        look = Look(client)
        client.on_change(look.at_change)
        say(event="ready", revision=client.snapshot().revision)
        stop = threading.Event()
        looking = threading.Thread(target=look.until, args=(stop,))
        looking.start()
        sys.stdin.read()
        stop.set()
        looking.join()
        say(event="done", snapshots=look.snapshots)


class Look:
    """Reads the settings all the time, and checks what must hold in every single snapshot."""

    def __init__(self, client: ConfigClient) -> None:
        self.snapshots = 0
        self._client = client
        self._transport = ""
        self._revision = 0

    def at_change(self, change: Change) -> None:
        """The client calls this for each changed key, when the new state can be read."""
        at_ns = time.monotonic_ns()
        say(
            event="change",
            namespace=change.namespace,
            key=change.key,
            value=change.new,
            revision=change.revision,
            at_ns=at_ns,
        )

    def until(self, stop: threading.Event) -> None:
        """Look at the settings again and again."""
        while not stop.wait(LOOK_INTERVAL_S):
            self._check(self._client.snapshot())
            transport = self._client.status().transport
            if transport != self._transport:
                self._transport = transport
                say(event="transport", transport=transport, at_ns=time.monotonic_ns())

    def _check(self, snapshot: Snapshot) -> None:
        self.snapshots += 1
        shown = snapshot.get_int("storefront", "checkout.min_order_cents")
        charged = snapshot.get_int("payments", "charge.min_cents")
        if shown != charged:
            say(event="broken", why=f"revision {snapshot.revision}: shop says {shown}, payments say {charged}")
        if snapshot.revision < self._revision:
            say(event="broken", why=f"revision {snapshot.revision} came after {self._revision}")
        self._revision = snapshot.revision


def say(**event: Any) -> None:
    """One JSON line for the demo."""
    with _output:
        print(json.dumps(event), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
