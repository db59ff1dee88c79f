"""Finding an address's route, and remembering it.

Not for speed alone: each search of Werkzeug leaves a cycle of eight objects behind. With thousands of requests held,
the garbage collector's walk to find them stops the worker for a fifth of a second, and sync alone would ask for it
every few seconds.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

#: Addresses that are remembered, of those that came lately.
REMEMBERED_MAX = 1_000


class App(Flask):
    """Flask, with a memory for routes, and no view or hook that is a coroutine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: By path and method, and what else an address is built from.
        self.routes_found: dict[tuple[str | None, ...], MapAdapter] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return it as it is: whether it is a coroutine would be looked up for each hook of each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what knows the request's route, or finds out why there is none."""
        if request is None:
            return super().create_url_adapter(None)
        get = request.environ.get
        place = get("PATH_INFO"), request.method, get("HTTP_HOST"), get("wsgi.url_scheme"), get("SCRIPT_NAME")
        found = self.routes_found.get(place)
        if found is not None:
            return found
        made = super().create_url_adapter(request)
        if made is None:
            return None
        try:
            found = _Found(made)
        except HTTPException:  # no route, or a redirect with this request's query: Flask looks again, and says so
            return made
        if len(self.routes_found) >= REMEMBERED_MAX:
            self.routes_found.clear()
        self.routes_found[place] = found
        return found


class _Found(MapAdapter):
    """An adapter that has found its route."""

    def __init__(self, made: MapAdapter) -> None:
        vars(self).update(vars(made))
        self._rule, self._values = made.match(return_rule=True)

    def match(self, *args: Any, **kwargs: Any) -> Any:
        """Find the route; as Flask asks for it, from memory."""
        if args or kwargs != {"return_rule": True}:
            return super().match(*args, **kwargs)
        return self._rule, dict(self._values)
