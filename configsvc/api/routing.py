"""Finding an address's route, and remembering it where the address has no variable part.

Not for speed: each search of Werkzeug leaves a cycle of eight objects behind. With thousands of requests held, the
garbage collector's walk to find them stops the worker for a fifth of a second, and sync alone would ask for it every
few seconds.
"""

from typing import Any

from flask import Flask, Request
from werkzeug.routing import MapAdapter

_Found = tuple[Any, Any]


class App(Flask):
    """Flask, with a memory for routes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: By path and method; as many as there are routes without a variable part.
        self.routes_found: dict[tuple[str, str], _Found] = {}

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
        if place not in self._found:
            found = super().match(return_rule=True)
            if found[1]:  # the address has a variable part
                return found
            self._found[place] = found
        return self._found[place][0], {}
