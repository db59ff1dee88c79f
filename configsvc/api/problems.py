"""Errors as RFC 9457 problem documents: the one place where an exception becomes an answer."""

import logging
from collections.abc import Callable
from http import HTTPStatus

from flask import Flask, Response, g
from werkzeug.exceptions import ClientDisconnected, HTTPException

from configsvc.api.door import BODY_TOO_LARGE
from configsvc.domain import strict_json
from configsvc.errors import PayloadTooLarge, RequestError

log = logging.getLogger(__name__)

STATUS = {
    "malformed": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "review_required": 409,
    "revision_mismatch": 412,
    "payload_too_large": 413,
    "validation_failed": 422,
    "rate_limited": 429,
    "internal": 500,
    "unavailable": 503,
}
_CODE = {status: code for code, status in STATUS.items() if code != "review_required"}


def register(app: Flask, note: Callable[[RequestError], None]) -> None:
    """Answer every error of ``app`` with a problem document; ``note`` sees what is ours before."""

    def request_error(error: RequestError) -> Response:
        note(error)
        return _request_error(error)

    app.register_error_handler(RequestError, request_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _bug)


def _request_error(error: RequestError) -> Response:
    response = _problem(error.code, error.detail, **error.extra)
    if error.code == "unauthenticated":
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if status == 413:
        return _request_error(PayloadTooLarge(BODY_TOO_LARGE))
    if isinstance(error, ClientDisconnected):  # what werkzeug takes every error of reading for
        return _problem(
            "malformed", "the body did not come whole and in time, or its chunks are malformed: send it again"
        )
    if status == 404:
        return _problem(
            "not_found", "there is nothing at this address: /openapi.json says what there is, and the pages are at /ui/"
        )
    response = _problem(_CODE.get(status, "malformed"), error.description or HTTPStatus(status).phrase)
    if allow := dict(error.get_headers()).get("Allow"):
        response.headers["Allow"] = allow
    return response


def _bug(error: Exception) -> Response:
    log.error("request %s failed", g.request_id, exc_info=error)
    return _problem("internal", "something is wrong in the service; its log has more under this request id")


def _problem(code: str, detail: str, **extra: object) -> Response:
    status = STATUS[code]
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": g.request_id,
        **extra,
    }
    return Response(strict_json.dumps(document), status, mimetype="application/problem+json")
