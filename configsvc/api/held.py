"""Answers that are made when something happens, or when a time is over.

Thousands of requests wait at once, and each holds what it needs: no Flask context, no parsed body, no deep stack. The
view returns at once; whoever serves the request waits when it asks for the answer's bytes.
"""

from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response, current_app, g

_Wsgi = dict[str, Any]


def held(make: Callable[[], bytes], rest: Callable[[], None] | None = None) -> Response:
    """Answer with the JSON that ``make`` returns, after whatever it waits for; an error in it is answered as a view's.

    ``make`` is called without a context of Flask. ``rest`` is called when the answer has been sent.
    """
    return _Held(current_app._get_current_object(), make, rest)  # type: ignore[attr-defined]  # a proxy's way to say it


class _Held(Response):
    def __init__(self, app: Flask, make: Callable[[], bytes], rest: Callable[[], None] | None) -> None:
        super().__init__(content_type="application/json")
        self._app, self._make, self._rest, self._request_id = app, make, rest, g.request_id

    def __call__(self, environ: _Wsgi, start_response: Any) -> Iterator[bytes]:
        try:
            self.response = [self._make()]
        except Exception as error:  # noqa: BLE001  # as Flask does it: every error has its handler
            yield from self._problem(environ, error)(environ, start_response)
        else:
            yield from super().__call__(environ, start_response)
        if self._rest is not None:
            self._rest()

    def _problem(self, environ: _Wsgi, error: Exception) -> Response:
        with self._app.request_context(environ):
            g.request_id = self._request_id
            return self._app.finalize_request(self._app.handle_user_exception(error), from_error_handler=True)
