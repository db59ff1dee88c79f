"""A client that is closed takes its leave of the service, in the time that whoever ends has."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from configclient import ConfigClient, ConfigUnavailable
from configclient._client import CLOSE_TIMEOUT_S
from tests.unit.client.double import ENV, TOKEN, Canned, ServiceDouble, problem
from tests.unit.client.test_client import wait_for_transport
from tests.unit.client.test_fork import in_child

Start = Callable[..., ConfigClient]


def leaves(service: ServiceDouble) -> list[dict[str, Any]]:
    """The requests that take leave."""
    return [request for request in service.requests if request["client"].get("leaving")]


@pytest.mark.parametrize("push", [True, False])
def test_a_closed_client_takes_its_leave_once(service: ServiceDouble, start: Start, push: bool) -> None:
    """Under its own id, with what it has, and not to be held; also where a held poll was in the way."""
    client = start(push=push)
    if push:
        wait_for_transport(client, "redis")
    else:
        service.wait_for_request(lambda request: request["wait_s"] == 5)
    client.close()
    client.close()
    [last] = leaves(service)
    assert last is service.requests[-1]
    assert last["client"]["id"] == service.requests[0]["client"]["id"]
    assert (last["have"], last["wait_s"]) == (service.history[1]["cursor"], 0)


def test_who_was_never_answered_takes_no_leave(service: ServiceDouble, start: Start) -> None:
    """The service may never have heard of it."""
    service.canned.append(Canned(hang=True))
    with pytest.raises(ConfigUnavailable):
        start(start_timeout_s=0.1)
    assert len(service.requests) == 1


def test_a_service_that_is_away_is_left_without_a_word(service: ServiceDouble, start: Start) -> None:
    """Where the last sync failed, closing is not held up by another one."""
    client = start(push=False)
    service.canned.extend([problem(503, "unavailable")] * 9)
    service.commit({"payments": {"rate_limit": 200}})
    wait_for_transport(client, "none")
    client.close()
    assert not leaves(service)


def test_a_leave_that_is_not_answered_holds_nobody_up(
    service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is anything said of it, unless somebody looks for faults."""
    client = start()
    wait_for_transport(client, "redis")
    service.canned.append(Canned(hang=True))
    caplog.clear()
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < CLOSE_TIMEOUT_S
    assert len(leaves(service)) == 1
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_child_takes_no_leave_for_its_parent(service: ServiceDouble, start: Start) -> None:
    """A child that ends before its first sync says nothing, and its parent goes on."""
    client = start(push=False)
    _, status = os.waitpid(in_child(client.close), 0)
    assert status == 0
    known = {request["client"]["id"] for request in service.requests if not request["client"].get("leaving")}
    left = {request["client"]["id"] for request in leaves(service)}
    assert left <= known - {service.requests[0]["client"]["id"]}


def test_a_process_that_ends_takes_leave_of_all_its_clients(service: ServiceDouble) -> None:
    """Also of those that it did not close, at the interpreter's exit, when no thread can be started any more."""
    program = (
        "import sys; from configclient import ConfigClient;"
        "clients = [ConfigClient(name, *sys.argv[1:2], sys.argv[2:], push=False) for name in ('a', 'b', 'c')];"
        "clients[0].close()"
    )
    ended(program, service)
    assert sorted(request["client"]["service"] for request in leaves(service)) == ["a", "b", "c"]


def test_so_does_a_process_that_gevent_has_patched(service: ServiceDouble) -> None:
    """Whose threads are no threads."""
    program = (
        "from gevent import monkey; monkey.patch_all(); import sys; from configclient import ConfigClient;"
        "client = ConfigClient('a', *sys.argv[1:2], sys.argv[2:], push=False)"
    )
    assert ended(program, service) == b""
    assert [request["client"]["service"] for request in leaves(service)] == ["a"]


def ended(program: str, service: ServiceDouble) -> bytes:
    """What a program that follows the service says on its error output until it has ended well."""
    environ = {**os.environ, "CONFIGSVC_URL": service.url, "CONFIGSVC_TOKEN": TOKEN}
    command = [sys.executable, "-c", program, ENV, "payments"]
    return subprocess.run(command, env=environ, check=True, timeout=30, stderr=subprocess.PIPE).stderr
