"""Who I am to which service: ``login``, ``logout``, ``profiles``, ``whoami``."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from configclient.cli import _profiles
from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import ENVIRONMENT, NAMESPACE
from configclient.cli._options import examples, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import ENVS, ME, with_query
from configclient.cli._render_access import caller as render_caller
from configclient.cli._target import Service

if TYPE_CHECKING:
    from configclient.cli._http import Api

PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}")
# No token is longer; reading stops there.
TOKEN_CHARS_MAX = 1000


def _profile(value: str) -> str:
    if not PROFILE.fullmatch(value):
        raise click.BadParameter(f"{value!r} is no name for a profile; write it like staging")
    return value


@click.command(
    "login",
    epilog=examples(
        "configctl login --url https://config.example.com",
        "configctl login --url https://config.test --profile test < token-file",
        "configctl list payments --env production --profile test",
    ),
)
@click.option("--url", envvar="CONFIGSVC_URL", help="The service's address; or CONFIGSVC_URL. Asked for if missing.")
@click.option("--profile", type=_profile, default="default", show_default=True, help="What to call it.")
@click.option("--no-keyring", is_flag=True, help="Keep the token in the file of profiles (mode 0600).")
def login_command(url: str | None, profile: str, no_keyring: bool) -> None:
    """Keep a service's address and your token for it.

    The token is asked for, or read from standard input, and tried before it is kept: in the system's keyring where
    there is one (`pip install 'configclient[keyring]'`), otherwise in a file that only you can read. The first profile
    becomes the default.
    """
    from configclient.cli._http import Api, checked_url

    known = _profiles.load().by_name
    url = url or (known[profile].url if profile in known else None)
    if not url:
        if not sys.stdin.isatty():
            raise click.UsageError("give --url", click.get_current_context())
        url = click.prompt("Address of the service", err=True)
    url = checked_url(url)
    token = _token(url)
    who = _whoami(Api(url, token))
    in_keyring = _profiles.keep(profile, url, token, in_keyring=not no_keyring)
    where = "the keyring" if in_keyring else str(_profiles.path())
    click.echo(f"profile {profile}: {url}{f' as {who}' if who else ''}; the token is in {where}", err=True)


@click.command("logout", epilog=examples("configctl logout", "configctl logout --profile test"))
@click.option("--profile", help="Which one; without it, the default.")
def logout_command(profile: str | None) -> None:
    """Forget a profile and its token. The token itself stays valid: an admin revokes it."""
    name = profile or _profiles.load().default
    if name is None:
        raise CliError("there is no profile to forget", Exit.NOT_FOUND)
    _profiles.forget(name)
    click.echo(f"profile {name} is forgotten", err=True)


@click.command("profiles", epilog=examples("configctl profiles", "configctl profiles --default test"))
@click.option("--default", "default", metavar="NAME", help="Make this one the default.")
@as_output
def profiles_command(default: str | None, output: str) -> None:
    """List the services that you have logged in to, or choose the default."""
    known = _profiles.load()
    if default is not None:
        _profiles.named(known, default)
        known = _profiles.Profiles(known.by_name, default)
        _profiles.save(known)
    items = [
        {
            "name": name,
            "url": each.url,
            "default": name == known.default,
            "token_in": "keyring" if each.token is None else "file",
        }
        for name, each in sorted(known.by_name.items())
    ]
    emit(output, {"items": items}, lambda: render.profiles(items))


@click.command("whoami", epilog=examples("configctl whoami", "configctl whoami payments --env production"))
@click.argument("namespace", type=NAMESPACE, required=False)
@click.option("--env", type=ENVIRONMENT, metavar="ENV", help="With a namespace: what you may do there.")
@on_service
@as_output
def whoami_command(service: Service, namespace: str | None, env: str | None, output: str) -> None:
    """Print whose token this is, when it expires, and what it may do: anywhere, or in one place."""
    if (namespace is None) != (env is None):
        raise click.UsageError("give both a namespace and --env, or neither", click.get_current_context())
    answer = service.api().get(with_query(ME, {"namespace": namespace, "env": env}))
    emit(output, answer | {"url": service.url}, lambda: render_caller(answer, service.url))


def _token(url: str) -> str:
    if sys.stdin.isatty():
        token = click.prompt(f"Token for {url}", hide_input=True, err=True)
    else:
        token = sys.stdin.read(TOKEN_CHARS_MAX)
    if not token.strip():
        raise CliError("no token was given; put it on standard input, or type it when asked", Exit.USAGE)
    return str(token.strip())


def _whoami(api: Api) -> str | None:
    """The name that the token stands for, None from a service that has no such call. Raises where it is not valid."""
    try:
        return str(api.get(ME)["name"])
    except CliError as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
    api.get(ENVS)
    return None
