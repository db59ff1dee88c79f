"""The command itself, and the one door where every failure becomes a line on stderr and an exit code."""

import importlib
import io
import os
import sys
from importlib.metadata import version

import click

from configclient.cli._errors import EXIT_CODES, CliError, Exit, one_line

# What shells expect of a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130

# Heading → module → its commands. A module is imported when one of its commands is called, so that each starts quickly.
COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "What is there": {
        "settings": ("get", "list", "reveal"),
        "watch": ("watch",),
        "run": ("run",),
        "history": ("history", "show", "diff"),
    },
    "Changing it": {
        "changes": ("set", "unset"),
        "edit": ("edit",),
        "promote": ("promote",),
        "back": ("rollback", "restore", "undo"),
    },
    "Reviews": {
        "requests": ("requests", "approve"),
    },
    "Files": {
        "files": ("import", "export"),
        "code": ("plan", "apply"),
    },
    "What is declared, and who listens": {
        "catalog": ("namespaces", "envs"),
        "keys": ("keys",),
        "watchers": ("watchers",),
    },
    "Who may do what, and who did": {
        "tokens": ("tokens", "grants"),
        "audit": ("audit",),
    },
    "This command line": {
        "access": ("login", "logout", "profiles", "whoami"),
        "completion": ("completion",),
    },
}
PLACES = {name: module for modules in COMMANDS.values() for module, names in modules.items() for name in names}

EPILOG = f"""\b
CONFIGSVC_URL, CONFIGSVC_TOKEN and CONFIGSVC_ENV say where, who and which
environment. A token is never an argument: arguments are seen by everybody
on the machine. NO_COLOR turns colours off.

\b
Exit codes:
{EXIT_CODES}
"""


def run(args: list[str]) -> int:
    """Runs ``configctl`` with ``args``; gives the exit code. Failures are one line on stderr, never a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode gets escapes, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args or ["--help"], prog_name="configctl", standalone_mode=False)
    except CliError as failure:
        return _complain(str(failure), failure.exit_code)
    except click.exceptions.NoArgsIsHelpError as group:  # a group without a command: `configctl keys`
        click.echo(group.format_message())
        return Exit.OK
    except click.ClickException as error:
        command = getattr(error, "ctx", None)
        see = command.command_path if command is not None else "configctl"
        message = error.format_message().rstrip(".")
        return _complain(f"{message}{'' if message.endswith('?') else ';'} see {see} --help", Exit.USAGE)
    except click.Abort:
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the last door: an answer that breaks the contract, or a bug of ours
        reason = f"{type(error).__name__}: {error}"
        return _complain(f"the answer was not understood ({reason}); is this configctl as new as the service?", 1)
    # A command whose good end has several codes gives one; the others give nothing.
    return code if isinstance(code, int) else Exit.OK


def _complain(message: str, exit_code: int) -> int:
    click.echo(f"configctl: {one_line(message)}", err=True)
    return exit_code


class Commands(click.Group):
    """Finds a command in its module, and lists all of them under headings."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """All names, in the order of the help."""
        return list(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        """The command of this name, imported now."""
        if cmd_name not in PLACES:
            return None
        module = importlib.import_module(f"configclient.cli.commands.{PLACES[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """What click does; a slip is answered with what was meant, too."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=PLACES, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One section per heading."""
        for heading, modules in COMMANDS.items():
            names = [name for group in modules.values() for name in group]
            with formatter.section(heading):
                formatter.write_dl([(name, self._summary(ctx, name)) for name in names])

    def _summary(self, ctx: click.Context, name: str) -> str:
        command = self.get_command(ctx, name)
        assert command is not None
        return command.get_short_help_str(limit=120)


@click.group(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(version("configclient"), prog_name="configctl", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Read and change the settings that configsvc keeps."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org: set and not empty
        context.color = False
