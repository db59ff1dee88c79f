"""Errors as pages, in the look of all others; without a session one is asked to sign in."""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from configsvc.errors import RequestError

log = logging.getLogger(__name__)


def register(routes: Blueprint, statuses: Mapping[str, int], note: Callable[[RequestError], None]) -> None:
    """Show what goes wrong. ``statuses``: by the error's code; ``note`` sees every error of ours but a lost session."""

    def request_error(error: RequestError) -> Response:
        if error.code == "unauthenticated":
            if "text/event-stream" in request.accept_mimetypes.values():
                return make_response("", 204)  # ends a stream for good: the page looks again, and is led to sign in
            following = request.full_path.rstrip("?") if request.method == "GET" else None
            return _answer(redirect(url_for("ui.sign_in_form", next=following), 303))
        note(error)
        return _page(statuses[error.code], error.detail, error.retry_after_s)

    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        if status < 400:  # a redirect
            return _answer(error.get_response())
        return _page(status, "this form is too large" if status == 413 else error.description or "")

    def bug(error: Exception) -> Response:
        log.error("request %s failed", g.request_id, exc_info=error)
        return _page(500, "something is wrong in the service; its log has more under this request id")

    routes.register_error_handler(RequestError, request_error)
    routes.register_error_handler(HTTPException, http_error)
    routes.register_error_handler(Exception, bug)


def _page(status: int, detail: str, retry_after_s: int | None = None) -> Response:
    title = HTTPStatus(status).phrase
    page = render_template("error.html", status=status, title=title, detail=detail, request_id=g.request_id)
    response = make_response(page, status)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _answer(response: object) -> Response:
    return make_response(response)
