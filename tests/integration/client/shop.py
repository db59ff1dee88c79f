"""A WSGI application as people write it: the client is made on import, which with gunicorn's preload is early."""

import json
import os
from typing import Any
from urllib.parse import parse_qs

from configclient import ConfigClient

WAIT_S = 10

NAMESPACE = os.environ["TEST_NAMESPACE"]
client = ConfigClient("shop", "development", [NAMESPACE])


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Wait for the revision in the query, then say who we are and what we see."""
    (revision,) = parse_qs(environ["QUERY_STRING"])["revision"]
    shown = client.wait_for(int(revision), WAIT_S)
    status = client.status()
    answer = {"pid": os.getpid(), "shown": shown, "n": client.get_int(NAMESPACE, "n"), "transport": status.transport}
    start_response("200 OK", [("Content-Type", "application/json"), ("Connection", "close")])
    return [json.dumps(answer).encode()]
