"""One revision per request, for any ASGI application (Starlette, FastAPI, Quart, …).

    app = PinnedMiddleware(app, config)

Each HTTP request reads one revision until its last byte is sent, in the tasks it starts as well. WebSockets and
lifespans are not pinned: they live too long for one revision. So does an endless stream of events: read `live` handles
there, which are never pinned.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._client import ConfigClient

__all__ = ["PinnedMiddleware"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class PinnedMiddleware:
    """Wraps an application; see the module."""

    def __init__(self, app: App, client: ConfigClient) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, socket or lifespan."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._client.pinned():
            await self._app(scope, receive, send)
