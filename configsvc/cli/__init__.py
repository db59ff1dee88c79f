"""The command line of the service. Imports late, so that each command loads only what it needs."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

from typing import Any

import click

from configsvc import __version__
from configsvc.cli import audit, keys, people, run
from configsvc.errors import SetupError, Unavailable


class _OneLineErrors(click.Group):
    """What the operator has to change is said in one line, without a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SetupError, Unavailable) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="configsvc")
def main() -> None:
    """configsvc: versioned settings, live in running applications within a second.

    \b
    Examples:
      configsvc dev                     everything on this machine, to try and to develop
      configsvc migrate                 bring CONFIGSVC_DATABASE_URL's schema up to date
      configsvc serve                   the API and the relay, in production

    All settings are CONFIGSVC_* variables: docs/operations.md lists them.
    """


for _command in (
    run.dev,
    run.serve,
    run.relay,
    run.redis_accounts,
    run.migrate,
    people.token,
    people.account,
    keys.keys,
    audit.audit,
):
    main.add_command(_command)
