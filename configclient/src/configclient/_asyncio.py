"""The little that asyncio needs: constructing on a thread, and waiting without one.

asyncio is imported by the functions, so that an application without it doesn't pay for it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

from ._board import Board


class Closable(Protocol):
    """What `start_in_thread` may have to put away again."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


async def start_in_thread(make: Callable[[], C]) -> C:
    """What `make` gives, made on a thread. If the task is cancelled meanwhile, it is closed as soon as it is there."""
    import asyncio

    turn = threading.Lock()
    made: list[C] = []
    cancelled = False

    def make_or_close() -> C:
        client = make()
        with turn:
            made.append(client)
            unwanted = cancelled
        if unwanted:
            client.close()
        return client

    try:
        return await asyncio.to_thread(make_or_close)
    except asyncio.CancelledError:
        with turn:
            cancelled = True
        for client in made:
            threading.Thread(target=client.close, name="configclient-close").start()
        raise


async def wait_until(board: Board, ready: Callable[[], bool], timeout_s: float) -> None:
    """Wait until `ready()`, which only something shown or closed can change, at most `timeout_s`."""
    import asyncio

    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(woken.set)

    with board.waking(wake), suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while not ready():
                await woken.wait()
                woken.clear()
