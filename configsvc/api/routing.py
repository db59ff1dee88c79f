"""Finding an address's route, and remembering it.

Not for speed alone: each search of Werkzeug leaves a cycle of eight objects behind. With thousands of requests held,
the garbage collector's walk to find them stops the worker for a fifth of a second, and sync alone would ask for it
every few seconds.
"""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter

#: Addresses that are remembered, of those that came lately.
REMEMBERED_MAX = 1_000

_Found = tuple[Any, Mapping[str, Any]]


class App(Flask):
    """Flask, with a memory for routes, and no view or hook that is a coroutine."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: By path and method.
        self.routes_found: dict[tuple[str, str], _Found] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return it as it is: whether it is a coroutine would be looked up for each hook of each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Make what finds the request's route."""
        made = super().create_url_adapter(request)
        if made is None or request is None:
            return made
        return _Adapter(
            self.routes_found,
            made.map,
            made.server_name,
            made.script_name,
            made.subdomain,
            made.url_scheme,
            made.path_info,
            made.default_method,
            made.query_args,
        )


class _Adapter(MapAdapter):
    def __init__(self, found: dict[tuple[str, str], _Found], *args: Any) -> None:
        super().__init__(*args)
        self._found = found

    def match(self, *args: Any, **kwargs: Any) -> Any:
        """Find the route; as Flask asks for it, from memory."""
        if args or kwargs != {"return_rule": True}:
            return super().match(*args, **kwargs)
        place = self.path_info, self.default_method
        found = self._found.get(place)
        if found is None:
            if len(self._found) >= REMEMBERED_MAX:
                self._found.clear()
            found = self._found[place] = super().match(return_rule=True)
        rule, values = found
        return rule, dict(values)
