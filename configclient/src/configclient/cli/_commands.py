"""What can be typed, and the one door where every failure becomes a line on stderr and an exit code."""

import io
import re
import sys
from importlib.metadata import version
from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit, one_line
from configclient.cli._http import Api
from configclient.cli._options import KEY, NAMESPACE, Target, as_output, config_path, key_path, note, on_target
from configclient.cli._values import TYPES, parse

# The bound of a request's body. What is longer is refused before it is sent.
INPUT_BYTES_MAX = 2**20
# What shells expect of a command that Ctrl-C ended: 128 + SIGINT.
INTERRUPTED = 130
NEGATIVE_NUMBER = re.compile(r"-\.?[0-9].*")

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


class SetCommand(click.Command):
    """Takes a negative number for a value, not for an option: ``configctl set payments offset -5``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        valued = {name for param in self.params if isinstance(param, click.Option) for name in param.opts}
        for i, arg in enumerate(args):
            if arg == "--":
                break
            if NEGATIVE_NUMBER.fullmatch(arg) and (i == 0 or args[i - 1] not in valued):
                args = [*args[:i], *args[i + 1 :], "--", arg]
                break
        return super().parse_args(ctx, args)


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("configclient"), prog_name="configctl", message="%(prog)s %(version)s")
def cli() -> None:
    """Read and change the settings that configsvc keeps."""


@cli.command("get")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_target
@as_output
def get_command(target: Target, namespace: str, key: str, output: str) -> None:
    """Print the value of one setting.

    A string is printed as it is, everything else as JSON.
    """
    answer = target.api().get(config_path(target.env, namespace, key))
    if output == "json":
        click.echo(render.as_json(answer))
    elif "value" in answer:
        click.echo(render.bare(answer["value"]))
    else:
        raise CliError(f"{namespace}/{key} is a secret, and this token may not read it", Exit.FORBIDDEN)


@cli.command("set", cls=SetCommand)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.argument("value", required=False)
@click.option("--type", "type_", type=click.Choice(TYPES), help="Declare the key with this type, if it is new.")
@click.option("--value-file", type=click.File("rb"), help="Read the value from a file (- is standard input).")
@note
@on_target
@as_output
def set_command(
    target: Target,
    namespace: str,
    key: str,
    value: str | None,
    type_: str | None,
    value_file: io.BufferedReader | None,
    note: str,
    output: str,
) -> None:
    """Change one setting, and say what changed.

    The key's type decides how VALUE is read. A string is taken literally; int, float, bool and json are read as JSON.
    A VALUE of - is read from standard input; of what is read, one newline at the end is dropped, as `get` adds one.
    """
    text = _text(value, value_file)
    api = target.api()
    parsed = parse(text, type_ or _declared_type(api, namespace, key))
    path = config_path(target.env, namespace, key)
    before = _current(api, path)
    declare = {"type": type_} if type_ else {}
    answer = api.write("PUT", path, {"value": parsed, "note": note} | declare)
    click.echo(_outcome(answer, namespace, key, before) if output == "text" else render.as_json(answer))


@cli.command("unset")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@note
@on_target
@as_output
def unset_command(target: Target, namespace: str, key: str, note: str, output: str) -> None:
    """Take away the value of one setting. The key stays declared, and the history stays."""
    api = target.api()
    path = config_path(target.env, namespace, key)
    before = _current(api, path)
    answer = api.write("DELETE", path, {"note": note})
    click.echo(_outcome(answer, namespace, key, before) if output == "text" else render.as_json(answer))


@cli.command("list")
@click.argument("namespace", type=NAMESPACE)
@on_target
@as_output
def list_command(target: Target, namespace: str, output: str) -> None:
    """Print all settings of a namespace."""
    answer = target.api().get(config_path(target.env, namespace))
    if output == "json":
        click.echo(render.as_json(answer))
        return
    rows = [
        (key, entry["type"], render.item(entry), str(entry["version"]))
        for key, entry in sorted(answer["values"].items())
    ]
    for line in render.table(("KEY", "TYPE", "VALUE", "VERSION"), rows):
        click.echo(line)


@cli.command("watch")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY, required=False)
@on_target
@as_output
def watch_command(target: Target, namespace: str, key: str | None, output: str) -> None:
    """Print every change until Ctrl-C."""
    # Not at the top: only this command needs the SDK, and the others start quicker without.
    from configclient.cli._watch import watch

    watch(target, namespace, key, as_json=output == "json")


def _text(value: str | None, file: io.BufferedReader | None) -> str:
    if (value is None) == (file is None):
        raise click.UsageError("give either VALUE or --value-file", click.get_current_context())
    if value is not None and value != "-":
        return value
    data = (file or sys.stdin.buffer).read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise CliError(f"the value is longer than {INPUT_BYTES_MAX} bytes", Exit.INVALID)
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise CliError("the value is not UTF-8 text", Exit.INVALID) from None


def _declared_type(api: Api, namespace: str, key: str) -> str:
    try:
        return str(api.get(key_path(namespace, key))["type"])
    except CliError as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        raise CliError(f"{failure}; a new key needs --type {'|'.join(TYPES)}", Exit.NOT_FOUND) from None


def _current(api: Api, path: str) -> dict[str, Any] | None:
    try:
        return api.get(path)
    except CliError as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        return None


def _outcome(answer: dict[str, Any], namespace: str, key: str, before: dict[str, Any] | None) -> str:
    """The line that says what a write to one key changed."""
    place = f"{answer['env']} revision {answer['revision']}"
    if not answer["changed"]:
        return f"{namespace}/{key}  {render.item(before) if before else render.UNSET}  unchanged, {place}"
    change = answer["changes"][0]
    old: str | None = render.UNSET
    if before is not None:
        # Somebody else may have written in between: then the value that was replaced is not the one we saw.
        old = render.item(before) if change["version"] == before["version"] + 1 else None
    return render.change_line(namespace, key, old, render.item(change), place)
