"""What happens around every request: its id, who asks and how often, one turn for the others, headers of the answer."""

import re
import secrets
import time
from collections.abc import Collection
from typing import Any

from flask import Flask, Response, g, request

from configsvc import logs
from configsvc.api import addresses
from configsvc.errors import Malformed
from configsvc.service.access import CACHE_S, Authenticate, Authenticator, Caller
from configsvc.service.rates import Rates

#: Endpoints without a token.
OPEN = frozenset({"health.healthz", "health.readyz", "openapi.document"})
#: Calls that only read, although they are no GET.
READING_POSTS = frozenset({"sync.synchronize"})

#: For a browser that comes by an answer: it is data, of nobody else's page. What a view has set itself stands.
ALWAYS = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def register(app: Flask, authenticator: Authenticator, rates: Rates, elsewhere: Collection[str] = ()) -> None:
    """Give every request an id; let none but the open endpoints pass without a token, and no token too often.

    ``elsewhere``: blueprints that find out in their own way who asks.
    """

    def begin() -> None:
        g.began = time.monotonic()
        # A busy keep-alive connection would starve the others of the gevent worker (DESIGN.md §5).
        time.sleep(0)
        g.request_id = take_id(request.environ, request.url_rule.rule if request.url_rule else "")
        g.address = addresses.of(request.environ)
        if request.endpoint not in OPEN and request.endpoint is not None and request.blueprint not in elsewhere:
            g.caller = again(authenticator)(since=g.began - (CACHE_S if is_reading() else 0))
            rates.take(g.caller.name)
        # No text in Postgres can hold it, so nothing is named so; strict JSON refuses it in bodies.
        if "\0" in request.path or b"%00" in request.query_string or b"\0" in request.query_string:
            raise Malformed("the address holds the character NUL")

    def end(response: Response) -> Response:
        headers = response.headers
        headers["X-Request-Id"] = g.request_id
        present = {name.lower() for name, _ in headers}
        headers.extend(header for header in ALWAYS if header[0].lower() not in present)
        return response

    app.before_request(begin)
    app.after_request(end)


def take_id(environ: dict[str, Any], route: str) -> str:
    """Return the id that the request was given on its way, or a new one; the log is about it from now on."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    logs.about(request_id)
    environ[logs.ROUTE] = route
    return request_id


def is_reading() -> bool:
    """Tell whether this request changes nothing."""
    return request.method in ("GET", "HEAD") or request.endpoint in READING_POSTS


def again(authenticator: Authenticator) -> Authenticate:
    """Return what authenticates this request, as often as it is asked, and when its view has returned, too."""
    return authenticator.again(request.headers.get("Authorization"), g.request_id, g.address)


def began() -> float:
    """Return when this request began, by the monotonic clock: what is looked up later is no older than the request."""
    moment: float = g.began
    return moment


def caller() -> Caller:
    """Return who asks."""
    who: Caller = g.caller
    return who
