"""One worker holds 5,000 requests: every release reaches all of them, and none costs more memory than it may."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from benchmarks.crowd import Wanted, children, crowd, memory_kib
from configsvc.dev.stack import Stack

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]

HELD = 5_000
RELEASES = 3
MEMORY_KIB_MAX = 25


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with one worker, where all of one token may ask again at once, three times in a row."""
    more = {"web": ["env", f"CONFIGSVC_TOKEN_REQUESTS_PER_S={RELEASES * HELD}"]}
    with Stack(tmp_path_factory.mktemp("stack"), workers=1, wrappers=more) as running:
        yield running


def send(stack: Stack, role: str, method: str, path: str, body: object) -> dict[str, Any]:
    """Send a request; its answer."""
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {stack.tokens[role]}", "Content-Type": "application/json"}
    connection.request(method, f"/v1/{path}", json.dumps(body), headers)
    response = connection.getresponse()
    document: dict[str, Any] = json.load(response)
    connection.close()
    assert response.status in (200, 201), document
    return document


def test_every_release_reaches_all_who_are_held(stack: Stack) -> None:
    """None is lost, none is answered with an error, and each is held for less than 25 KiB of the worker's memory."""
    send(stack, "admin", "POST", "namespaces", {"name": "held"})
    path = "namespaces/held/envs/staging/config/rate"
    send(stack, "ops", "PUT", path, {"value": 0, "type": "int"})
    sync = {"client": {"id": "first", "service": "crowd"}, "env": "staging", "namespaces": ["held"]}
    first = send(stack, "service", "POST", "sync", sync)
    [worker] = children(stack.part("web").pid or 0)
    address = urlsplit(stack.url)
    wanted = Wanted(
        (str(address.hostname), int(address.port or 0)),
        stack.tokens["service"],
        "staging",
        ("held",),
        first["cursor"],
        first["view"],
    )
    before = memory_kib(worker)
    with crowd(wanted, HELD) as clients:
        assert (memory_kib(worker) - before) / HELD < MEMORY_KIB_MAX
        for value in range(1, RELEASES + 1):
            clients.next(send(stack, "ops", "PUT", path, {"value": value})["revision"])
    assert Path(f"/proc/{worker}").exists(), "it is the same worker all the time"
