"""Answers as JSON bytes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from flask import Response

from configsvc.domain import strict_json


def json_bytes(document: object) -> bytes:
    """Return ``document`` as JSON."""
    return strict_json.dumps(document).encode()


def json_response(document: object, status: int = 200) -> Response:
    """Return ``document`` as a JSON answer."""
    return Response(json_bytes(document), status, mimetype="application/json")


class _Ready(Response):
    """An answer that needs nothing done: no text to encode, no iterator to close, no length to count."""

    default_mimetype = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        # The response's own __call__ looks for all of that, for as long as it takes to find a body in memory.
        start_response(self.status, self.headers.to_wsgi_list())
        return () if environ["REQUEST_METHOD"] == "HEAD" else self.response  # type: ignore[return-value]  # bytes


def ready(text: str | bytes, *headers: tuple[str, str]) -> Response:
    """Return a JSON text that is ready."""
    body = text.encode() if isinstance(text, str) else text
    own = ("Content-Type", "application/json"), ("Content-Length", str(len(body)))
    return _Ready([body], headers=[*own, *headers])


def not_modified(*headers: tuple[str, str]) -> Response:
    """Return 304: the caller has it already."""
    return _Ready(status=304, headers=headers)


def created(document: object, location: str) -> Response:
    """Return 201 with where the new thing is."""
    response = json_response(document, 201)
    response.headers["Location"] = location
    return response


def page(items: Sequence[Mapping[str, object]], following: int | None) -> Response:
    """Return one page of a list."""
    return json_response({"items": items, "next": None if following is None else str(following)})


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC, with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
