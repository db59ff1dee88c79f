"""`Stack`, as the demo and the end-to-end tests use it."""

import http.client
import os
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from configsvc.dev.process import descendants
from configsvc.dev.stack import Stack
from tests.integration.dev.running import is_running


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
