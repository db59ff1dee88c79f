"""One revision per request, for Flask.

    app = Flask(__name__)
    config = ConfigClient("checkout", "production", ["payments"])
    PinRequests(app, config)

Views, error handlers, teardown functions and streamed bodies then read one revision each. `live` handles don't.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._client import ConfigClient
from .wsgi import PinnedMiddleware

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["PinRequests"]


class PinRequests:
    """A Flask extension. It has nothing to configure: make it where the application is made."""

    def __init__(self, app: Flask, client: ConfigClient) -> None:
        """Pin the requests of this application. The client stays yours to close."""
        app.wsgi_app = PinnedMiddleware(app.wsgi_app, client)  # type: ignore[method-assign]
