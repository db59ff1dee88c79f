"""The command itself, and the one door where every failure becomes a line on stderr and an exit code."""

import io
import sys
from importlib.metadata import version

import click

from configclient.cli import _past, _reads, _writes
from configclient.cli._errors import CliError, Exit, one_line

# What shells expect of a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130

EPILOG = """\b
CONFIGSVC_URL, CONFIGSVC_TOKEN and CONFIGSVC_ENV say where, who and which
environment. A token is never an argument: arguments are seen by everybody
on the machine.

\b
Exit codes:
  0  done
  1  no answer, or not the one expected: try again, or look at the service
  2  wrong usage
  3  not found
  4  forbidden, or the token is not known
  5  conflict: something else changed first, or a review is required
  6  the value was not accepted
"""


def run(args: list[str]) -> int:
    """Runs ``configctl`` with ``args``; gives the exit code. Failures are one line on stderr, never a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Unicode gets escapes, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        cli.main(args or ["--help"], prog_name="configctl", standalone_mode=False)
    except CliError as failure:
        return _complain(str(failure), failure.exit_code)
    except click.ClickException as error:
        command = getattr(error, "ctx", None)
        see = command.command_path if command is not None else "configctl"
        return _complain(f"{error.format_message().rstrip('.')}; see {see} --help", Exit.USAGE)
    except click.Abort:
        return _complain("interrupted", INTERRUPTED)
    except Exception as error:  # noqa: BLE001  the last door: an answer that breaks the contract, or a bug of ours
        reason = f"{type(error).__name__}: {error}"
        return _complain(f"the answer was not understood ({reason}); is this configctl as new as the service?", 1)
    return Exit.OK


def _complain(message: str, exit_code: int) -> int:
    click.echo(f"configctl: {one_line(message)}", err=True)
    return exit_code


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("configclient"), prog_name="configctl", message="%(prog)s %(version)s")
def cli() -> None:
    """Read and change the settings that configsvc keeps."""


for command in (
    *(_reads.get_command, _reads.list_command, _reads.watch_command),
    *(_past.history_command, _past.show_command, _past.diff_command),
    *(_writes.set_command, _writes.unset_command),
    *(_writes.rollback_command, _writes.restore_command, _writes.undo_command),
):
    cli.add_command(command)
