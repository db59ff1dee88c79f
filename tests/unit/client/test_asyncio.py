"""Under asyncio: starting, waiting and closing while the event loop goes on."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import pytest

from configclient import AccessDenied, Change, ConfigClient, ConfigUnavailable
from tests.unit.client.double import ENV, TOKEN, Canned, ServiceDouble, problem

WAIT_S = 10
FOR_EVER_S = 3600  # longer than any test may take: whoever waits for that long has not been woken
NAMESPACES = ["payments", "global"]


def run(main: Any) -> Any:
    """Run it, and fail rather than hang."""

    async def bounded() -> Any:
        async with asyncio.timeout(4 * WAIT_S):
            return await main

    return asyncio.run(bounded())


@pytest.fixture
def gate(service: ServiceDouble, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The service answers nobody until it is set."""
    gate = threading.Event()
    answer = service.answer

    def gated(request: dict[str, Any]) -> dict[str, Any]:
        gate.wait(WAIT_S)
        return answer(request)

    monkeypatch.setattr(service, "answer", gated)
    yield gate
    gate.set()


async def astart(service: ServiceDouble, **options: Any) -> ConfigClient:
    """A client of the double."""
    return await ConfigClient.astart("checkout", ENV, NAMESPACES, **{"url": service.url, "token": TOKEN, **options})


def our_threads() -> list[threading.Thread]:
    """Those of any client."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("configclient")]


def test_the_loop_goes_on_while_a_client_starts(service: ServiceDouble, gate: threading.Event) -> None:
    """The answer that the start waits for comes only once the loop has run something else."""

    async def main() -> None:
        task = asyncio.create_task(astart(service))
        await asyncio.to_thread(service.wait_for_request, lambda _: True)
        assert not task.done()
        gate.set()
        async with await task as client:
            assert client.get("payments", "rate_limit") == 100
        assert client.status().state == "closed"

    run(main())


def test_the_loop_goes_on_while_a_client_closes(service: ServiceDouble) -> None:
    """Closing waits for a listener that only the loop lets go."""

    async def main() -> None:
        client = await astart(service)
        busy, released = threading.Event(), threading.Event()

        def block(change: Change) -> None:
            busy.set()
            released.wait(WAIT_S)

        client.on_change(block)
        service.commit({"payments": {"rate_limit": 200}})
        assert await asyncio.to_thread(busy.wait, WAIT_S)
        task = asyncio.create_task(client.aclose())
        # It is closed, and so nobody waits for a revision any more, but its thread is still busy.
        assert not await client.await_for(99, WAIT_S)
        assert not task.done()
        released.set()
        await task
        assert our_threads() == []

    run(main())


def test_errors_of_the_start(service: ServiceDouble) -> None:
    """The constructor's own."""
    service.canned.append(problem(401, "unauthenticated"))
    with pytest.raises(AccessDenied):
        run(astart(service, start_timeout_s=60))
    service.canned.extend([problem(503, "unavailable")] * 100)
    with pytest.raises(ConfigUnavailable):
        run(astart(service, start_timeout_s=0.2))


def test_a_cancelled_start_leaves_nothing_behind(service: ServiceDouble, gate: threading.Event) -> None:
    """The client that nobody gets is closed as soon as it is there."""

    async def main() -> None:
        task = asyncio.create_task(astart(service))
        await asyncio.to_thread(service.wait_for_request, lambda _: True)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        gate.set()

    run(main())
    deadline = time.monotonic() + WAIT_S
    for thread in our_threads():
        thread.join(max(0.0, deadline - time.monotonic()))
    assert our_threads() == []


def test_awaiting_a_revision(service: ServiceDouble) -> None:
    """True at once, or as soon as it is shown; False after the timeout, and when the client is closed."""

    async def main() -> list[bool]:
        client = await astart(service, push=False)
        answers = [await client.await_for(1, 0), await client.await_for(2, 0.01)]
        waiting = asyncio.create_task(client.await_for(2, FOR_EVER_S))
        await asyncio.sleep(0)
        service.commit({"payments": {"rate_limit": 200}})
        answers.append(await waiting)
        waiting = asyncio.create_task(client.await_for(3, FOR_EVER_S))
        await asyncio.sleep(0)
        await client.aclose()
        return [*answers, await waiting, await client.await_for(2, 0)]

    assert run(main()) == [True, False, True, False, True]


def test_a_waiter_that_is_cancelled_or_outlived_is_forgotten(service: ServiceDouble) -> None:
    """Neither a cancelled task nor a closed loop is woken, and the client goes on."""

    async def main() -> ConfigClient:
        client = await astart(service)
        task = asyncio.create_task(client.await_for(99, WAIT_S))
        await asyncio.sleep(0)
        assert client._board._wakers
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not client._board._wakers
        return client

    client = run(main())
    with client._board.waking(_dead_loop_waker()):
        assert client.wait_for(service.commit({"payments": {"rate_limit": 200}}), WAIT_S)
    client.close()


def _dead_loop_waker() -> Callable[[], object]:
    """What is left in the board by a loop that was closed under a waiting task."""
    wakers: list[Callable[[], object]] = []

    class Board:
        def waking(self, waker: Callable[[], object]) -> Any:
            wakers.append(waker)
            return nullcontext()

    from configclient._asyncio import wait_until

    asyncio.run(wait_until(Board(), lambda: True, 1))  # type: ignore[arg-type]
    return wakers[0]


@pytest.mark.long
def test_under_load_no_stall_comes_from_the_client(service: ServiceDouble) -> None:
    """The loop's longest pause is a small part of what the starts and closings took.

    Meanwhile five hundred tasks wait for a stream of releases. Were it blocked, all that time would be pauses.
    """
    releases, clients = 100, 5

    async def main() -> tuple[float, float]:
        stall_s = blocked_s = 0.0
        done = False

        async def tick() -> None:
            nonlocal stall_s
            before = time.monotonic()
            while not done:
                await asyncio.sleep(0)
                now = time.monotonic()
                stall_s, before = max(stall_s, now - before), now

        async def come_and_go() -> None:
            nonlocal blocked_s
            service.canned.append(Canned(503))
            began = time.monotonic()
            async with await astart(service, push=False):
                blocked_s += time.monotonic() - began
                began = time.monotonic()
            blocked_s += time.monotonic() - began

        client = await astart(service)
        ticking = asyncio.create_task(tick())
        waiting = [asyncio.create_task(client.await_for(2 + index % releases, FOR_EVER_S)) for index in range(500)]
        committing = asyncio.to_thread(lambda: [service.commit({"payments": {"n": n}}) for n in range(releases)])
        await asyncio.gather(committing, *(come_and_go() for _ in range(clients)))
        assert all(await asyncio.gather(*waiting))
        done = True
        await ticking
        await client.aclose()
        return stall_s, blocked_s

    stall_s, blocked_s = run(main())
    assert stall_s < blocked_s / 4
