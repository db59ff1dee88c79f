"""One revision per request, for any WSGI application."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ._client import ConfigClient
from ._getters import Snapshot

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PinnedMiddleware"]


class PinnedMiddleware:
    """Wraps an application: each request reads one revision, from its first line of code to its body's last byte."""

    def __init__(self, app: WSGIApplication, client: ConfigClient) -> None:
        self._app = app
        self._client = client

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """One request."""
        with self._client.pinned() as snapshot:
            return _PinnedBody(self._app(environ, start_response), self._client, snapshot)


class _PinnedBody:
    """A body that is pinned while it is at work, and only then: nobody has to close it for the thread to be free."""

    def __init__(self, body: Iterable[bytes], client: ConfigClient, snapshot: Snapshot) -> None:
        self._body = body
        self._chunks = iter(body)
        self._client = client
        self._snapshot = snapshot

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._client.pinned(self._snapshot):
            return next(self._chunks)

    def close(self) -> None:
        """The server's last call."""
        close = getattr(self._body, "close", None)
        if close is not None:
            with self._client.pinned(self._snapshot):
                close()
