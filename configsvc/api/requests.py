"""What happens around every request: its id, who asks and how often, headers and time.

In two hooks that look through Flask's proxies once: each look costs as much as what it finds.
"""

import re
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from flask import Flask, Request, Response, g, request

from configsvc import logs
from configsvc.api import addresses
from configsvc.api.times import Times
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


def register(
    app: Flask,
    authenticator: Authenticator,
    rates: Rates,
    times: Times,
    start: Sequence[Callable[[], None]] = (),
    elsewhere: Collection[str] = (),
) -> None:
    """Give every request an id; let none but the open endpoints pass without a token, and no token too often.

    ``start``: called with each request; the first of a process begins what works beside them.
    ``elsewhere``: blueprints that find out in their own way who asks.
    """

    def begin() -> None:
        about, asked = _now()
        about.began = began = time.monotonic()
        environ, rule = asked.environ, asked.url_rule
        about.request_id = take_id(environ, rule.rule if rule else "")
        about.address = addresses.of(environ)
        for each in start:
            each()
        if rule is not None and rule.endpoint not in OPEN and asked.blueprint not in elsewhere:
            about.caller = _again(authenticator, about, asked)(since=began - (CACHE_S if _reads(asked) else 0))
            rates.take(about.caller.name)
        # No text in Postgres can hold it, so nothing is named so; strict JSON refuses it in bodies.
        query = asked.query_string
        if "\0" in asked.path or b"%00" in query or b"\0" in query:
            raise Malformed("the address holds the character NUL")

    def end(response: Response) -> Response:
        about, asked = _now()
        headers = response.headers
        present = {name.lower() for name, _ in headers}
        headers.add("X-Request-Id", about.request_id)
        for name, value in ALWAYS:
            if name.lower() not in present:
                headers.add(name, value)
        if "began" in about:  # what was held, and has failed, has been counted when its view returned
            # Addresses that are nothing, and words that are no method, come in any number.
            method, route = (asked.method, asked.url_rule.rule) if asked.url_rule else ("", "")
            times.add(method, route, response.status_code, about.began)
        return response

    app.before_request(begin)
    app.after_request(end)


def _now() -> tuple[Any, Request]:
    return g._get_current_object(), request._get_current_object()  # type: ignore[attr-defined]  # a proxy's way


def take_id(environ: dict[str, Any], route: str) -> str:
    """Return the id that the request was given on its way, or a new one; the log is about it from now on."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    logs.about(request_id)
    environ[logs.ROUTE] = route
    return request_id


def is_reading() -> bool:
    """Tell whether this request changes nothing."""
    return _reads(request)


def _reads(asked: Request) -> bool:
    return asked.method in ("GET", "HEAD") or asked.endpoint in READING_POSTS


def again(authenticator: Authenticator) -> Authenticate:
    """Return what authenticates this request, as often as it is asked, and when its view has returned, too."""
    return _again(authenticator, *_now())


def _again(authenticator: Authenticator, about: Any, asked: Request) -> Authenticate:
    return authenticator.again(asked.environ.get("HTTP_AUTHORIZATION"), about.request_id, about.address)


def began() -> float:
    """Return when this request began, by the monotonic clock: what is looked up later is no older than the request."""
    moment: float = g.began
    return moment


def caller() -> Caller:
    """Return who asks."""
    who: Caller = g.caller
    return who
