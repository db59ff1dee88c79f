"""Where the service is, who asks, and which environment is meant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from configclient.cli._errors import CliError, Exit

if TYPE_CHECKING:
    from configclient.cli._http import Api


@dataclass(frozen=True)
class Service:
    """A service, and who asks it."""

    url: str
    token: str

    def api(self) -> Api:
        """Speaks to it."""
        from configclient.cli._http import Api

        return Api(self.url, self.token)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


@dataclass(frozen=True, repr=False)
class Target(Service):
    """The environment that a command works on, and the service that has it."""

    env: str


def find_service(url: str | None) -> Service:
    """The service that is meant. Raises :class:`CliError` with what to set."""
    token = os.environ.get("CONFIGSVC_TOKEN")
    if not url:
        raise CliError("where is the service? set CONFIGSVC_URL (after `configsvc dev`: . .dev/env)", Exit.USAGE)
    if not token:
        raise CliError("who are you? set CONFIGSVC_TOKEN (after `configsvc dev`: . .dev/env)", Exit.USAGE)
    return Service(url, token)


def target(env: str | None, service: Service) -> Target:
    """That service's environment; there is no default, so that leaving out a word can't change production."""
    return Target(service.url, service.token, checked_env(env))


def checked_env(env: str | None) -> str:
    """The environment that was named. Raises :class:`CliError` where none was."""
    if not env:
        raise CliError("which environment? give --env (development, staging, …), or set CONFIGSVC_ENV", Exit.USAGE)
    return env
