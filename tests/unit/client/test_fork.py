"""Forking while a client runs: the child goes on by itself, the parent does not notice."""

import concurrent.futures
import multiprocessing
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable

import pytest

from configclient import Change, ConfigClient
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


# What child processes of multiprocessing work with. Forked, they find it as it was in the parent.
inherited: list[ConfigClient] = []


def follow_in_child(revision: int) -> tuple[int, object, bool]:
    """What a worker does: read, hear of the next release, read again."""
    (client,) = inherited
    before = client.get("payments", "rate_limit")
    return before, client.wait_for(revision, WAIT_S) and client.get("payments", "rate_limit"), os.getpid() > 0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns of any fork beside threads
def test_workers_of_multiprocessing_follow(service: ServiceDouble, start: Callable[..., ConfigClient]) -> None:
    """A pool of forked processes reads at once and hears of changes; nobody calls anything for it."""
    client = start(push=False)
    inherited[:] = [client]
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, context) as pool:
        following = [pool.submit(follow_in_child, 2) for _ in range(2)]
        service.wait_for_request(lambda request: request["client"]["pid"] != os.getpid() and request["wait_s"] > 0)
        service.commit({"payments": {"rate_limit": 200}})
        assert [future.result(WAIT_S)[1] for future in following] == [200, 200]
    process = context.Process(target=follow_in_child, args=(2,))
    process.start()
    process.join(WAIT_S)
    assert process.exitcode == 0
    assert client.wait_for(service.commit({"payments": {"rate_limit": 300}}), WAIT_S)


def test_a_fork_inside_a_listener(
    service: ServiceDouble, start: Callable[..., ConfigClient], capfd: pytest.CaptureFixture[str]
) -> None:
    """The listener's child follows by itself, on a thread of its own; the parent's listeners go on."""
    client = start(push=False)
    children: list[int] = []
    forked, heard = threading.Event(), threading.Event()

    def work() -> None:
        assert client.get("payments", "rate_limit") == 200
        assert client.wait_for(3, WAIT_S)
        client.close()

    def listen(change: Change) -> None:
        if change.new == 200:
            children.append(in_child(work))
            forked.set()
        else:
            heard.set()

    client.on_change(listen)
    service.commit({"payments": {"rate_limit": 200}})
    assert forked.wait(WAIT_S)
    service.wait_for_request(lambda request: request["client"]["pid"] == children[0])
    service.commit({"payments": {"rate_limit": 300}})
    _, status = os.waitpid(children[0], 0)
    assert status == 0, capfd.readouterr().err
    assert heard.wait(WAIT_S)


def test_a_child_that_leaves_the_listener_has_one_refresher(
    service: ServiceDouble, start: Callable[..., ConfigClient], capfd: pytest.CaptureFixture[str]
) -> None:
    """The thread that forked was the parent's refresher; in the child it ends when the listener returns."""
    client = start(push=False)
    children: list[int] = []
    forked = threading.Event()

    def check(old: threading.Thread) -> None:
        code = 1
        try:
            old.join(WAIT_S)
            assert not old.is_alive()
            assert client.wait_for(3, WAIT_S)
            names = [thread.name for thread in threading.enumerate() if thread.name.startswith("configclient")]
            assert names == ["configclient-refresher"]
            code = 0
        except BaseException:  # noqa: BLE001 - a child must never return into pytest
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def listen(change: Change) -> None:
        if change.new != 200 or children:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            children.append(os.fork())
        if children[0]:
            forked.set()
        else:
            threading.Thread(target=check, args=[threading.current_thread()]).start()

    client.on_change(listen)
    service.commit({"payments": {"rate_limit": 200}})
    assert forked.wait(WAIT_S)
    service.wait_for_request(lambda request: request["client"]["pid"] == children[0])
    service.commit({"payments": {"rate_limit": 300}})
    _, status = os.waitpid(children[0], 0)
    assert status == 0, capfd.readouterr().err


def test_a_listener_that_outlives_its_thread_s_life_is_the_last_that_runs_on_it(
    service: ServiceDouble, start: Callable[..., ConfigClient]
) -> None:
    """As in a child that forked there, or when gevent patches the process: the one after it syncs, and it does not."""
    client = start(push=False)
    refresher = client._refresher
    listening: list[threading.Thread] = []
    seen: list[int] = []
    listened = threading.Event()

    def listen(_: Change) -> None:
        refresher.pause()
        before = len(service.requests)
        refresher.resume()
        service.wait_for_request(lambda request: request["wait_s"] > 0, before)
        seen.append(len(service.requests))
        listening.append(threading.current_thread())
        listened.set()

    client.on_change(listen)
    service.commit({"payments": {"rate_limit": 200}})
    assert listened.wait(WAIT_S)
    listening[0].join(WAIT_S)
    assert not listening[0].is_alive()
    assert len(service.requests) == seen[0]
