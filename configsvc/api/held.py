"""Answers that are made when something happens, or when a time is over; and those that never end.

Thousands of requests wait at once, and each holds what it needs: no Flask context, no parsed body, no deep stack. The
view returns at once; whoever serves the request waits when it asks for the answer's bytes. What is followed leaves its
request after the first of them, where the server lets it (``gunicorn_outlet.py``).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, g
from prometheus_client import Gauge

from configsvc import meters
from configsvc.service.followers import Sink

_Wsgi = dict[str, Any]


class Followed(NamedTuple):
    """An answer that others go on with: its first bytes, and what takes where the next ones go.

    ``follow`` returns at once; it calls the function that it is given when nothing more will be sent.
    """

    first: bytes
    follow: Callable[[Sink, Callable[[], None]], None]


#: Events for a reader who does not take them; who is further behind is cut, and comes back to where it was.
_KEPT_MAX = 64

_Make = Callable[[], Iterable[bytes] | Followed]

POLLS, _STREAMS = meters.held.labels("poll"), meters.held.labels("stream")


def held(make: Callable[[], bytes], rest: Callable[[], None] | None = None) -> Response:
    """Answer with the JSON that ``make`` returns, after whatever it waits for; an error in it is answered as a view's.

    ``make`` is called without a context of Flask. ``rest`` is called when the answer has been sent.
    """
    return _Held(lambda: [make()], rest, POLLS, content_type="application/json")


def stream(make: _Make) -> Response:
    """Answer with server-sent events, each sent as soon as it is there.

    ``make`` returns them, and may wait before and between them, or the first and who sends the others; an error that it
    raises itself is answered as a view's.
    """
    response = _Held(make, None, _STREAMS, content_type="text/event-stream")
    response.headers["X-Accel-Buffering"] = "no"  # nginx would keep events until it has a bufferful
    response.headers["Cache-Control"] = "no-store, no-transform"  # nor is a proxy to compress them
    return response


class _Held(Response):
    def __init__(self, make: _Make, rest: Callable[[], None] | None, now: Gauge, content_type: str) -> None:
        super().__init__(content_type=content_type)
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # a proxy's way to say it
        self._make, self._rest, self._now, self._request_id = make, rest, now, g.request_id

    def __call__(self, environ: _Wsgi, start_response: Any) -> Iterator[bytes]:
        # The response's own __call__ looks for much that these answers never have: a quarter of the time that it took
        # to answer thousands who wake at once.
        headers = self.headers.to_wsgi_list()
        return serve(self._app, self._make, self._rest, self._now, self._request_id, headers, environ, start_response)


def serve(
    app: Flask,
    make: _Make,
    rest: Callable[[], None] | None,
    now: Gauge,
    request_id: str,
    headers: Sequence[tuple[str, str]],
    environ: _Wsgi,
    start_response: Any,
) -> Iterator[bytes]:
    """Answer as WSGI does, when asked for the first bytes. An error in ``make`` is answered as ``app`` answers it.

    ``now`` counts it until the last ones are sent, or nobody wants them.
    """
    now.inc()
    try:
        parts = make()
    except Exception as error:  # noqa: BLE001  # as Flask does it: every error has its handler
        yield from problem(app, request_id, environ, error)(environ, start_response)
    else:
        length = [("Content-Length", str(sum(map(len, parts))))] if isinstance(parts, list) else []
        start_response("200 OK", [*headers, *length])
        if environ["REQUEST_METHOD"] == "HEAD":
            pass
        elif isinstance(parts, Followed):
            yield parts.first
            yield from _followed(parts, now, environ)
        else:
            yield from parts
    finally:
        now.dec()
    if rest is not None:
        rest()


def _followed(answer: Followed, now: Gauge, environ: _Wsgi) -> Iterator[bytes]:
    """Hand the connection on; where the server keeps it, yield what goes to it."""
    take_over = getattr(environ.get("gunicorn.socket"), "take_over", None)
    outlet = take_over() if take_over else None
    if outlet is not None:
        now.inc()  # it outlives this request
        answer.follow(outlet, now.dec)
        return
    kept = _Kept()
    answer.follow(kept, lambda: None)
    yield from kept


class _Kept:
    """What goes to a connection that its request keeps."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._open = True

    def send(self, data: bytes) -> bool:
        if not self._open or self._queue.qsize() >= _KEPT_MAX:
            return False
        self._queue.put(data)
        return True

    def close(self) -> None:
        self._open = False
        self._queue.put(b"")

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from iter(self._queue.get, b"")
        finally:
            self._open = False


def problem(app: Flask, request_id: str, environ: _Wsgi, error: Exception, began: float | None = None) -> Response:
    """Return how ``app`` answers an error that none of its views has raised.

    ``began``: when the request did (monotonic clock), None where it has been counted already.
    """
    with app.request_context(environ):
        g.request_id = request_id
        if began is not None:
            g.began = began
        return app.finalize_request(app.handle_user_exception(error), from_error_handler=True)
