"""Pages that hear of changes by others: each follows one stream, and looks again when it says so."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from configsvc.admin.guard import again, caller
from configsvc.errors import Malformed
from configsvc.service.moves import Moves, written
from configsvc.service.sessions import Sessions

Stream = Callable[[Callable[[], Iterable[bytes]]], Response]
#: How long a stream lasts; the page comes back, perhaps to another worker.
STREAM_S_MAX = 3600.0
_SHOWN = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}:[0-9]{1,18}")
_ENVS_MAX = 100


def add(routes: Blueprint, moves: Moves, sessions: Sessions, stream: Stream) -> None:
    """Add the stream. ``stream`` makes an answer of server-sent events."""

    @routes.get("/events", endpoint="events")
    def events() -> Response:
        shown = _shown(request.headers.get("Last-Event-ID") or request.args.get("after", ""))
        who, authenticate = caller(), again(sessions)
        return stream(lambda: moves.after(who, authenticate, shown, STREAM_S_MAX))

    @routes.app_template_filter("events")
    def address(envs: Iterable[Mapping[str, Any]]) -> str:
        """Return where a page hears that one of the environments that it shows has moved."""
        return url_for("ui.events", after=written({row["name"]: row["revision"] for row in envs}))


def _shown(text: str) -> dict[str, int]:
    parts = text.split(",")
    if len(parts) > _ENVS_MAX or not all(map(_SHOWN.fullmatch, parts)):
        raise Malformed("say which revision is shown of which environment: after=development:1,staging:2")
    return {env: int(revision) for env, _, revision in (part.partition(":") for part in parts)}
