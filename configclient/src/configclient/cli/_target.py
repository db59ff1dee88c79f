"""Where the service is, who asks, and which environment is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from configclient.cli import _profiles
from configclient.cli._errors import CliError, Exit

if TYPE_CHECKING:
    from configclient.cli._http import Api


@dataclass(frozen=True)
class Service:
    """A service, and who asks it."""

    url: str
    token: str = field(repr=False)

    def api(self, *, hasty: bool = False) -> Api:
        """Speaks to it; ``hasty`` where an answer is only worth something at once."""
        from configclient.cli._http import Api

        return Api(self.url, self.token, hasty=hasty)


@dataclass(frozen=True)
class Target(Service):
    """The environment that a command works on, and the service that has it."""

    env: str = ""


def find_service(url: str | None, profile: str | None) -> Service:
    """The service that is meant: by address, or by the name of a profile; the token of the environment wins.

    A profile's token goes to that profile's address and to no other. Raises :class:`CliError` with what to do.
    """
    token = os.environ.get("CONFIGSVC_TOKEN")
    if url and token and profile is None:
        return Service(url, token)
    known = _profiles.load()
    name = profile or os.environ.get("CONFIGSVC_PROFILE") or known.default
    if url:
        if profile is not None and _profiles.named(known, profile).url != url.rstrip("/"):
            raise CliError(f"--profile {profile} is another service than {url}: name only one of them", Exit.USAGE)
        name = name if name in known.by_name and known.by_name[name].url == url.rstrip("/") else None
    elif name is None:
        raise CliError(
            "where is the service? run `configctl login`, or set CONFIGSVC_URL (after `configsvc dev`: . .dev/env)",
            Exit.USAGE,
        )
    if token:
        return Service(url or _profiles.named(known, str(name)).url, token)
    if name is None:
        raise CliError(
            "who are you? run `configctl login`, or set CONFIGSVC_TOKEN (after `configsvc dev`: . .dev/env)", Exit.USAGE
        )
    found = _profiles.named(known, name)
    return Service(found.url, _profiles.token_of(name, found))


def target(env: str | None, service: Service) -> Target:
    """That service's environment. Raises :class:`CliError` where none was named: there is no default, so that leaving
    out a word can't change production.
    """
    return Target(service.url, service.token, checked_env(env))


def checked_env(env: str | None) -> str:
    """The environment that was named. Raises :class:`CliError` where none was."""
    if not env:
        raise CliError("which environment? give --env (development, staging, …), or set CONFIGSVC_ENV", Exit.USAGE)
    return env
