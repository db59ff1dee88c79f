"""`Stack`, as the demo and the end-to-end tests use it."""

import http.client
import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from configclient import ConfigClient
from configsvc.dev.process import descendants
from configsvc.dev.stack import Stack
from tests.integration.dev.running import eventually, is_running


def _status(stack: Stack) -> int:
    connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_part_that_was_stopped_stays_down_until_it_is_started(stack: Stack) -> None:
    """Tests can take away a part for as long as they like."""
    web = stack.part("web")
    web.stop()
    with pytest.raises(ConnectionRefusedError):
        _status(stack)
    web.start()
    assert _status(stack) == 200


def test_the_databases_can_be_looked_into(stack: Stack) -> None:
    """The stack knows its addresses: the service's own role, and the superuser for what only that one may see."""
    with psycopg.connect(stack.superuser_url) as connection:
        assert connection.execute("SELECT current_database(), current_user").fetchone() == ("configsvc", "postgres")
    with psycopg.connect(stack.database_url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("configsvc_service",)


def test_namespaces_of_tests_are_fresh(new_namespace: Callable[[], str]) -> None:
    """Tests that share a stack don't share a namespace."""
    assert new_namespace() != new_namespace()


def test_several_relays_and_nothing_left_behind(tmp_path: Path) -> None:
    """Each relay is a part of its own; after the end no process is left, and stopping twice is fine."""
    others = set(descendants(os.getpid()))
    with Stack(tmp_path / "stack", relays=2, workers=1) as stack:
        assert stack.part("relay").pid != stack.part("relay-2").pid
        started = set(descendants(os.getpid())) - others
    stack.stop()
    assert len(started) > 10
    assert not [pid for pid in started if is_running(pid)]


def test_an_environment_made_over_http_gets_push(stack: Stack, namespace: str) -> None:
    """Its clients listen within moments, by an account that was made for them, and hear what is released."""
    _post(stack, "/v1/envs", {"name": "brand-new", "description": "of one test"})
    with ConfigClient("checkout", "brand-new", [namespace], url=stack.url, token=stack.tokens["service"]) as client:
        eventually(lambda: client.status().transport == "redis", 10, "listening")
        _post(stack, f"/v1/namespaces/{namespace}/keys", {"key": "rate", "type": "int"})
        change = {"namespace": namespace, "key": "rate", "value": 7}
        revision = _post(stack, "/v1/envs/brand-new/releases", {"changes": [change]})["revision"]
        assert client.wait_for(revision, 10)
        assert client.status().transport == "redis"


def _post(stack: Stack, path: str, body: object) -> Any:
    headers = {"Authorization": f"Bearer {stack.tokens['admin']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.url}{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)
