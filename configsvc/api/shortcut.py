"""A shortcut for syncs: nearly all requests are syncs, and most have nothing new to be told.

Flask's part of such an answer is as long as everything else in it. So a plain sync is answered here, by what its view
uses too; whatever is not plain, and every other request, goes on to Flask, and so do errors, to become answers.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Flask
from werkzeug.exceptions import ClientDisconnected

from configsvc.api import addresses, door, requests
from configsvc.api.held import POLLS, problem, serve
from configsvc.api.models import SyncRequest
from configsvc.api.sync import PATH, Syncs
from configsvc.api.times import Times
from configsvc.service.access import CACHE_S, Authenticator
from configsvc.service.rates import Rates

_Wsgi = dict[str, Any]
_HEADERS = (("Content-Type", "application/json"), *requests.ALWAYS)


class Shortcut:
    """A WSGI application before Flask's."""

    def __init__(
        self,
        app: Flask,
        authenticator: Authenticator,
        rates: Rates,
        syncs: Syncs,
        times: Times,
        start: Sequence[Callable[[], None]],
    ) -> None:
        """``start``: called before each request, as Flask calls it before its own."""
        self._app = app
        self._flask = app.wsgi_app
        self._authenticator = authenticator
        self._rates = rates
        self._syncs = syncs
        self._times = times
        self._start = start

    def __call__(self, environ: _Wsgi, start_response: Any) -> Iterable[bytes]:
        """Answer a plain sync, and let everything else pass."""
        if environ["PATH_INFO"] != PATH or environ["REQUEST_METHOD"] != "POST" or environ.get("QUERY_STRING"):
            return self._flask(environ, start_response)
        length = environ.get("CONTENT_LENGTH") or ""
        if not door.NUMBER.fullmatch(length) or int(length) > door.BODY_BYTES_MAX:
            return self._flask(environ, start_response)
        began, request_id = time.monotonic(), requests.take_id(environ, PATH)
        try:
            return self._answer(environ, start_response, began, request_id)
        except Exception as error:  # noqa: BLE001  # as Flask does it: every error has its handler
            return problem(self._app, request_id, environ, error, began)(environ, start_response)

    def _answer(self, environ: _Wsgi, start_response: Any, began: float, request_id: str) -> Iterable[bytes]:
        for start in self._start:
            start()
        address = addresses.of(environ)
        authenticate = self._authenticator.again(environ.get("HTTP_AUTHORIZATION"), request_id, address)
        caller = authenticate(since=time.monotonic() - CACHE_S)
        self._rates.take(caller.name)
        body = door.parse(_body(environ), SyncRequest)
        make = self._syncs.answer(caller, authenticate, body)
        headers = [("X-Request-Id", request_id), *_HEADERS]
        if body.wait_s:
            self._times.add("POST", PATH, 200, began)
            rest = self._syncs.rest(environ)
            return serve(self._app, lambda: [make()], rest, POLLS, request_id, headers, environ, start_response)
        text = make()
        self._times.add("POST", PATH, 200, began)
        start_response("200 OK", [*headers, ("Content-Length", str(len(text)))])
        return [text]


def _body(environ: _Wsgi) -> bytes:
    try:
        data: bytes = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    except OSError as error:  # too slow, or cut off: as werkzeug says it for Flask
        raise ClientDisconnected from error
    return data
