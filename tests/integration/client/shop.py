"""A WSGI application as people write it: the client is made on import, which with gunicorn's preload is early."""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from configclient import ConfigClient

WAIT_S = 10

NAMESPACE = os.environ["TEST_NAMESPACE"]
client = ConfigClient("shop", "development", [NAMESPACE])


def strays() -> int:
    """How many threads there are that gevent knows nothing of, where it has patched threads to be greenlets."""
    monkey: Any = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return 0
    import gevent

    return len(list(Path("/proc/self/task").iterdir())) - 1 - int(gevent.get_hub().threadpool.size)


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Wait for the revision in the query, then say who we are and what we see."""
    (revision,) = parse_qs(environ["QUERY_STRING"])["revision"]
    shown = client.wait_for(int(revision), WAIT_S)
    status = client.status()
    answer = {
        "pid": os.getpid(),
        "shown": shown,
        "n": client.get_int(NAMESPACE, "n"),
        "transport": status.transport,
        "strays": strays(),
    }
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "close")])
    return [json.dumps(answer).encode()]
