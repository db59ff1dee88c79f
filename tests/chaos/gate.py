"""A gate between many clients and the service: passes bytes on, notes who comes when, can be shut for a while."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

_REQUEST = b"POST /v1/sync "
_CHUNK_BYTES = 65_536
_TIMEOUT_S = 10.0


class Gate:
    """While it is shut, connections are cut, old and new ones."""

    def __init__(self, url: str) -> None:
        """``url``: the service's."""
        place = urlsplit(url)
        self._target = place.hostname, place.port
        #: When requests came (monotonic seconds).
        self.arrivals: list[float] = []
        #: When somebody came while it was shut (monotonic seconds).
        self.knocks: list[float] = []
        self._shut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._port = 0
        self._run(self._listen)

    @property
    def url(self) -> str:
        """The service's, through the gate."""
        return f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Let through."""
        self._shut = False

    def shut(self) -> None:
        """From now on nobody gets through."""
        self._shut = True
        self._run(self._cut)

    def _run(self, action: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(action(), self._loop).result(_TIMEOUT_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port, backlog=2_000)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        await self._cut()
        passing = asyncio.all_tasks() - {asyncio.current_task()}
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._shut:
            self.knocks.append(time.monotonic())
            writer.transport.abort()
            return
        service_reader, service_writer = await asyncio.open_connection(*self._target)
        both = {writer, service_writer}
        self._open |= both
        try:
            await asyncio.gather(
                self._copy(reader, service_writer, self._note), self._copy(service_reader, writer, lambda _: None)
            )
        finally:
            self._open -= both

    def _note(self, data: bytes) -> None:
        # A client sends a request at once, and no other before it is answered.
        if data.startswith(_REQUEST):
            self.arrivals.append(time.monotonic())

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                note(data)
                writer.write(data)
                await writer.drain()
        writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_TIMEOUT_S)
        self._loop.close()
