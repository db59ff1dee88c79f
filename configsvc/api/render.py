"""Answers as JSON bytes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from flask import Response

from configsvc.domain import strict_json


def json_bytes(document: object) -> bytes:
    """Return ``document`` as JSON."""
    return strict_json.dumps(document).encode()


def json_response(document: object, status: int = 200) -> Response:
    """Return ``document`` as a JSON answer."""
    return Response(json_bytes(document), status, mimetype="application/json")


def ready(text: str | bytes) -> Response:
    """Return a JSON text that is ready."""
    return Response(text, content_type="application/json")


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
