"""What a client imports, it has imported when its constructor returns: from then on the application may fork."""

import json
import os
import subprocess
import sys
from collections.abc import Callable

from configsvc.dev.stack import Stack

FOLLOWER = """
import json, sys, threading
from configclient import ConfigClient

with ConfigClient("shop", "development", sys.argv[1:]) as client:
    made = set(sys.modules)
    over = threading.Event()
    while client.status().transport != "redis":
        over.wait(0.05)
    print(json.dumps(sorted(sys.modules.keys() - made)))
"""
TIMEOUT_S = 20


def test_nothing_is_imported_later(stack: Stack, new_namespace: Callable[[], str]) -> None:
    """A fork that met an import on one of the client's threads would leave a lock in the child that nobody holds."""
    said = subprocess.run(
        [sys.executable, "-c", FOLLOWER, new_namespace()],
        env=os.environ | {"CONFIGSVC_URL": stack.url, "CONFIGSVC_TOKEN": stack.tokens["service"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    assert json.loads(said.stdout) == []
