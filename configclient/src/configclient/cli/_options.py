"""What several commands share: arguments that are names, where the service is, how to print."""

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click

from configclient.cli._errors import CliError, Exit
from configclient.cli._http import Api


def _name(what: str, pattern: str) -> Callable[[str], str]:
    """A type of arguments that name something. Checked here so that no name can bend the path of a request."""
    rule = re.compile(pattern)

    def convert(value: str) -> str:
        if not rule.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no name for {what}")
        return value

    return convert


# docs/protocol.md, "Names and values".
NAMESPACE = _name("a namespace", r"[a-z0-9][a-z0-9._-]{0,99}")
KEY = _name("a key", r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
ENVIRONMENT = _name("an environment", r"[a-z0-9][a-z0-9_-]{0,19}")


@dataclass(frozen=True)
class Target:
    """The environment that a command works on, and the service that has it."""

    url: str
    token: str
    env: str

    def api(self) -> Api:
        return Api(self.url, self.token)

    def __repr__(self) -> str:
        return f"Target({self.env!r} at {self.url!r})"


def config_path(env: str, namespace: str, key: str | None = None) -> str:
    """The path of a scope's settings, or of one of them."""
    path = f"/v1/namespaces/{quote(namespace)}/envs/{quote(env)}/config"
    return path if key is None else f"{path}/{quote(key)}"


def key_path(namespace: str, key: str) -> str:
    """The path of a key's declaration."""
    return f"/v1/namespaces/{quote(namespace)}/keys/{quote(key)}"


def on_target(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds ``--env`` and ``--url``; the command gets a :class:`Target` as ``target``."""

    @click.option(
        "--env", type=ENVIRONMENT, metavar="ENV", envvar="CONFIGSVC_ENV", help="The environment; or CONFIGSVC_ENV."
    )
    @click.option("--url", envvar="CONFIGSVC_URL", help="The service's address; or CONFIGSVC_URL.")
    @functools.wraps(command)
    def wrapper(env: str | None, url: str | None, **rest: Any) -> Any:
        return command(target=_target(env, url, os.environ.get("CONFIGSVC_TOKEN")), **rest)

    return wrapper


as_output = click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    help="json: the service's answer, for programs.",
)

note = click.option("--note", default="", help="Why; it stays in the history.")


def _target(env: str | None, url: str | None, token: str | None) -> Target:
    if not env:
        raise CliError("which environment? give --env (development, staging, …), or set CONFIGSVC_ENV", Exit.USAGE)
    if not url:
        raise CliError("where is the service? set CONFIGSVC_URL (after `configsvc dev`: . .dev/env)", Exit.USAGE)
    if not token:
        raise CliError("who are you? set CONFIGSVC_TOKEN (after `configsvc dev`: . .dev/env)", Exit.USAGE)
    return Target(url, token, env)
