"""Who may come in: tokens, and accounts for the pages."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

import sys
from datetime import UTC, datetime, timedelta

import click

from configsvc.cli.common import operator
from configsvc.domain.policy import ROLES


@click.group()
def token() -> None:
    """Make tokens, where no token exists yet to make them over HTTP."""


@token.command("create")
@click.option("--name", required=True, help="Who or what will use it.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--namespaces", default="*", show_default=True, help="A namespace, or a pattern such as 'pay*'.")
@click.option("--env", "envs", multiple=True, help="An environment, several times for several; without it, every one.")
@click.option("--days", type=click.IntRange(1, 36_500), help="When it runs out; without it, never.")
def token_create(name: str, role: str, namespaces: str, envs: tuple[str, ...], days: int | None) -> None:
    """Make a token and print it, once, on standard output. It counts as a person of its own: docs/reviews.md.

    \b
    Examples:
      configsvc token create --name root --role admin
      configsvc token create --name checkout --role service --namespaces payments --env production --days 90
    """
    from configsvc.service import tokens
    from configsvc.service.tokens import Wanted
    from configsvc.settings import read_database_url
    from configsvc.store.access import NewGrant

    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    wanted = Wanted(name, [NewGrant(role, namespaces, envs or None)], expires_at)
    made = tokens.create(read_database_url(), wanted, actor=operator())
    where = ", ".join(envs) or "every environment"
    click.echo(f"token for {name}: {role} on {namespaces} in {where}. It is shown only now:", err=True)
    click.echo(made)


@click.group()
def account() -> None:
    """Accounts of people who sign in to the pages under /ui, and links that sign in once."""


@account.command("create")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--namespaces", default="*", show_default=True, help="A namespace, or a pattern such as 'pay*'.")
@click.option("--env", "envs", multiple=True, help="An environment, several times for several; without it, every one.")
def account_create(name: str, role: str, namespaces: str, envs: tuple[str, ...]) -> None:
    """Make an account; it asks for its password, or takes it from standard input. It counts as a person of its own.

    \b
    Examples:
      configsvc account create ada --role admin
      configsvc account create bob --role developer --namespaces 'pay*' < password.txt
    """
    from configsvc.service import accounts
    from configsvc.service.tokens import Wanted
    from configsvc.settings import read_database_url
    from configsvc.store.access import NewGrant

    wanted = Wanted(name, [NewGrant(role, namespaces, envs or None)])
    accounts.create(read_database_url(), wanted, _new_password(), actor=operator())
    click.echo(f"{name} can sign in at /ui", err=True)


@account.command("password")
@click.argument("name")
def account_password(name: str) -> None:
    """Give an account another password, and end its sessions.

    \b
    Example:
      configsvc account password ada
    """
    from configsvc.service import accounts
    from configsvc.settings import read_database_url

    accounts.change_password(read_database_url(), name, _new_password(), actor=operator())
    click.echo(f"{name} has another password, and no session", err=True)


@account.command("link")
@click.argument("name")
def account_link(name: str) -> None:
    """Print the path of a page that signs one browser in as an account or token, once, within the hour.

    For whoever has lost a password, and for tokens. Whoever has the link can use it: send it as you would a password.

    \b
    Example:
      configsvc account link ada
    """
    from configsvc.service import accounts
    from configsvc.settings import read_database_url

    click.echo(accounts.link(read_database_url(), name, actor=operator()))


@account.command("readmit")
@click.argument("name")
def account_readmit(name: str) -> None:
    """Let somebody who signs in by OpenID Connect, and was revoked here, begin anew.

    \b
    Example:
      configsvc account readmit ada@example.com
    """
    from configsvc.service import people
    from configsvc.settings import read_database_url

    people.readmit(read_database_url(), name, actor=operator())
    click.echo(f"{name} begins anew with their next sign-in", err=True)


def _new_password() -> str:
    """Ask for it twice at a terminal; else take the first line of standard input. Others see arguments."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
