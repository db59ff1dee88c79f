"""Forking while a client runs: the child goes on by itself, the parent does not notice."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable

import pytest

from configclient import ConfigClient
from tests.unit.client.double import ServiceDouble
from tests.unit.client.test_client import wait_for_transport

WAIT_S = 10

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a forked child; its pid. The child's exit code says whether it succeeded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
        pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - a child must never return into pytest
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return pid


@pytest.mark.parametrize("push", [True, False])
def test_a_child_follows_by_itself(
    service: ServiceDouble, start: Callable[..., ConfigClient], push: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """The child has the values at once, a new id, and hears of changes; the parent goes on as the one it was."""
    client = start(push=push)
    if push:
        wait_for_transport(client, "redis")
        # The fake Redis lives in the parent's memory, so the child polls.
        service.offers_push = False

    def work() -> None:
        assert client.get("payments", "rate_limit") == 100
        assert client.wait_for(2, WAIT_S)
        assert client.get("payments", "rate_limit") == 200
        with client.pinned() as snapshot:
            assert snapshot.revision == 2
        client.close()

    seen = len(service.requests)
    pid = in_child(work)
    request = service.wait_for_request(lambda request: request["client"]["pid"] == pid, seen)
    assert request["client"]["id"] != service.requests[0]["client"]["id"]
    assert request["have"] == service.history[1]["cursor"]
    assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    _, status = os.waitpid(pid, 0)
    assert status == 0, capfd.readouterr().err
    assert client.wait_for(service.commit({"payments": {"rate_limit": 300}}), WAIT_S)
    parents = {each["client"]["id"] for each in service.requests if each["client"]["pid"] == os.getpid()}
    assert parents == {service.requests[0]["client"]["id"]}


def test_a_closed_client_stays_closed_in_the_child(service: ServiceDouble, start: Callable[..., ConfigClient]) -> None:
    """Nothing starts again that was ended."""
    client = start()
    client.close()

    def work() -> None:
        assert client.status().state == "closed"
        assert client.get("payments", "rate_limit") == 100

    _, status = os.waitpid(in_child(work), 0)
    assert status == 0


def test_forking_in_the_middle_of_everything(service: ServiceDouble, start: Callable[..., ConfigClient]) -> None:
    """Whatever the parent's threads are doing at that moment, the child can read, ask and close."""
    client = start(push=False)

    def work() -> None:
        client.status()
        client.wait_for(1, 1)
        client.close()

    for value in range(20):
        service.commit({"payments": {"rate_limit": value}})
        _, status = os.waitpid(in_child(work), 0)
        assert status == 0
