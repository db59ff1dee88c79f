"""Arguments that name something: checked, so that no name can bend the path of a request, and completed in shells."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from configclient.cli._paths import ENVS, NAMESPACES, REQUESTS, keys_path, with_query

if TYPE_CHECKING:
    from configclient.cli._http import Api

# A page; a shell that completes shows no more.
SHOWN_MAX = 500


class Name(click.ParamType[str]):
    """The name of a namespace, a key or an environment that is completed by the service's own."""

    def __init__(
        self, name: str, what: str, pattern: str, known: Callable[[Api, click.Context], Iterable[str]]
    ) -> None:
        """``what``: what something else is not. ``known``: asks the service which ones there are."""
        self.name = name
        self._what = what
        self._rule = re.compile(pattern)
        self._known = known

    def fits(self, value: str) -> bool:
        """Tells whether ``value`` is such a name."""
        return self._rule.fullmatch(value) is not None

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``value`` itself. Raises :class:`click.BadParameter`."""
        if not self.fits(value):
            self.fail(f"{value!r} is no {self._what}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002  click's signature
        """The names that begin like this; none where the service does not answer at once."""
        from configclient.cli._target import find_service

        try:
            api = find_service(ctx.params.get("url") or os.environ.get("CONFIGSVC_URL"), ctx.params.get("profile")).api(
                hasty=True
            )
            return [CompletionItem(name) for name in sorted(self._known(api, ctx)) if name.startswith(incomplete)]
        except Exception:  # noqa: BLE001  a shell that completes is no place for errors
            return []


def _environments(api: Api, _: click.Context) -> Iterable[str]:
    return [env["name"] for env in api.get(ENVS)["items"]]


def _namespaces(api: Api, _: click.Context) -> Iterable[str]:
    return [namespace["name"] for namespace in api.get(with_query(NAMESPACES, {"limit": SHOWN_MAX}))["items"]]


def _keys(api: Api, ctx: click.Context) -> Iterable[str]:
    return [
        key["key"] for key in api.get(with_query(keys_path(ctx.params["namespace"]), {"limit": SHOWN_MAX}))["items"]
    ]


def _requests(api: Api, _: click.Context) -> Iterable[str]:
    return [str(each["id"]) for each in api.get(with_query(REQUESTS, {"limit": SHOWN_MAX, "status": "open"}))["items"]]


# docs/protocol.md, "Names and values".
NAMESPACE = Name("namespace", "name for a namespace", r"[a-z0-9][a-z0-9._-]{0,99}", _namespaces)
KEY = Name("key", "name for a key", r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}", _keys)
ENVIRONMENT = Name("environment", "name for an environment", r"[a-z0-9][a-z0-9_-]{0,19}", _environments)
# The number of a change request.
REQUEST = Name("request", "number of a change request", r"[1-9][0-9]{0,17}", _requests)
