"""What happens around every request: its id, who asks, one turn for the others."""

import re
import secrets
import time

from flask import Flask, Response, g, request

from configsvc.errors import Malformed
from configsvc.service.access import Authenticator, Caller

#: Endpoints without a token.
OPEN = frozenset({"health.healthz", "health.readyz", "openapi.document"})
#: Calls that only read, although they are no GET.
READING_POSTS = frozenset({"sync.synchronize"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(app: Flask, authenticator: Authenticator) -> None:
    """Give every request an id, and let none but the open endpoints pass without a token."""

    def begin() -> None:
        # A busy keep-alive connection would starve the others of the gevent worker (DESIGN.md §5).
        time.sleep(0)
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        if request.endpoint not in OPEN and request.endpoint is not None:
            g.caller = authenticate(authenticator, fresh=not is_reading())
        # No text in Postgres can hold it, so nothing is named so; strict JSON refuses it in bodies.
        if "\0" in request.path or b"%00" in request.query_string or b"\0" in request.query_string:
            raise Malformed("the address holds the character NUL")

    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response

    app.before_request(begin)
    app.after_request(end)


def is_reading() -> bool:
    """Tell whether this request changes nothing."""
    return request.method in ("GET", "HEAD") or request.endpoint in READING_POSTS


def authenticate(authenticator: Authenticator, *, fresh: bool) -> Caller:
    """Authenticate this request; ``fresh`` asks the database, as writes do, and reads that were held."""
    return authenticator.authenticate(
        request.headers.get("Authorization"), g.request_id, request.remote_addr or "", fresh=fresh
    )


def caller() -> Caller:
    """Return who asks."""
    who: Caller = g.caller
    return who
