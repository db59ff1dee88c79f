"""What changes single settings: ``set`` and ``unset``."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import Terms, examples, on_target, on_terms
from configclient.cli._output import as_output
from configclient.cli._paths import config_path, key_path, keys_path
from configclient.cli._target import Target
from configclient.cli._terminal import somebody
from configclient.cli._values import TYPES, parse
from configclient.cli._writes import Write, write

if TYPE_CHECKING:
    from configclient.cli._http import Api

# The bound of a request's body. What is longer is refused before it is sent.
INPUT_BYTES_MAX = 2**20
NEGATIVE_NUMBER = re.compile(r"-\.?[0-9].*")


class SetCommand(click.Command):
    """Takes a negative number for a value, not for an option: ``configctl set payments offset -5``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What click does, with ``--`` put before a negative number."""
        valued = {name for param in self.params if isinstance(param, click.Option) for name in param.opts}
        for i, arg in enumerate(args):
            if arg == "--":
                break
            if NEGATIVE_NUMBER.fullmatch(arg) and (i == 0 or args[i - 1] not in valued):
                args = [*args[:i], *args[i + 1 :], "--", arg]
                break
        return super().parse_args(ctx, args)


@click.command(
    "set",
    cls=SetCommand,
    epilog=examples(
        "configctl set payments rate_limit 100 --type int --env development",
        'configctl set payments rate_limit 200 --env production --note "Black Friday"',
        "configctl set search synonyms --value-file synonyms.json --env staging",
        "./make-synonyms | configctl set search synonyms - --env staging",
        "configctl set payments db.password --secret --env production        # asks for it, and does not show it",
        "configctl set payments db.password - --env production < password-file",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.argument("value", required=False)
@click.option("--type", "type_", type=click.Choice(TYPES), help="Declare the key with this type, if it is new.")
@click.option("--secret", is_flag=True, help="Declare the key as a secret, if it is new; a string without --type.")
@click.option("--value-file", type=click.File("rb"), help="Read the value from a file (- is standard input).")
@on_terms
@on_target
@as_output
def set_command(
    target: Target,
    terms: Terms,
    namespace: str,
    key: str,
    value: str | None,
    type_: str | None,
    secret: bool,
    value_file: io.BufferedReader | None,
    output: str,
) -> None:
    """Change one setting, and say what changed.

    The key's type decides how VALUE is read. A string is taken literally; int, float, bool and json are read as JSON.
    A VALUE of - is read from standard input; of what is read, one newline at the end is dropped, as `get` adds one.

    The value of a secret is never an argument, which everybody on the machine could read: without VALUE you are asked
    for it, or it comes from standard input or a file.
    """
    name = f"{namespace}/{key}"
    text = _given(value, value_file)
    api = target.api()
    found = _declared(api, namespace, key)
    _check_fits(found, name, type_, secret=secret)
    is_secret = secret if found is None else bool(found["secret"])
    kind = type_ or ("string" if found is None else str(found["type"]))
    if is_secret and value not in (None, "-"):
        raise CliError(
            f"{name} is a secret, and everybody on this machine can read arguments: leave the value out to be asked, "
            "or give - or --value-file",
            Exit.USAGE,
        )
    parsed = parse(_asked(name, is_secret) if text is None else text, kind, secret=is_secret)
    if secret and found is None:
        _declare_secret(api, namespace, key, kind, terms)
    body = {"value": parsed} | ({"type": type_} if type_ else {})
    path = config_path(target.env, namespace, key)
    shown = render.MASKED if is_secret else render.short(parsed)
    write(api, Write("PUT", path, body, f"{name}  {shown}"), terms, output)


@click.command("unset", epilog=examples("configctl unset payments old_limit --env staging --dry-run"))
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_terms
@on_target
@as_output
def unset_command(target: Target, terms: Terms, namespace: str, key: str, output: str) -> None:
    """Take away the value of one setting. The key stays declared, and the history stays."""
    api = target.api()
    path = config_path(target.env, namespace, key)
    write(api, Write("DELETE", path, {}, f"{namespace}/{key}  {render.UNSET}"), terms, output)


def _given(value: str | None, file: io.BufferedReader | None) -> str | None:
    """The value as it was given, None where a person is there to be asked. Raises :class:`CliError`."""
    if (value is not None and file is not None) or (value is None and file is None and not somebody()):
        raise click.UsageError("give either VALUE or --value-file", click.get_current_context())
    if file is None and value != "-":
        return value
    data = (file or sys.stdin.buffer).read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise CliError(f"the value is longer than {INPUT_BYTES_MAX} bytes", Exit.INVALID)
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise CliError("the value is not UTF-8 text", Exit.INVALID) from None


def _asked(name: str, is_secret: bool) -> str:
    """What a person types; a secret is not shown."""
    return str(click.prompt(f"Value of {name}", hide_input=is_secret, err=True))


def _declared(api: Api, namespace: str, key: str) -> dict[str, Any] | None:
    try:
        return api.get(key_path(namespace, key))
    except CliError as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        return None


def _check_fits(found: dict[str, Any] | None, name: str, type_: str | None, *, secret: bool) -> None:
    """Raises :class:`CliError` where a key is new and nothing says its type, or is declared, and not as a secret."""
    if found is None and type_ is None and not secret:
        raise CliError(f"there is no key {name}; a new key needs --type {'|'.join(TYPES)}", Exit.NOT_FOUND)
    if found is not None and secret and not found["secret"]:
        place = name.replace("/", " ")
        raise CliError(
            f"{name} is declared, and not as a secret: configctl keys update {place} --secret", Exit.CONFLICT
        )


def _declare_secret(api: Api, namespace: str, key: str, type_: str, terms: Terms) -> None:
    if terms.dry_run:
        raise CliError(
            f"{namespace}/{key} is not declared yet, and a dry run declares nothing: there is nothing to try",
            Exit.NOT_FOUND,
        )
    api.send("POST", keys_path(namespace), {"key": key, "type": type_, "secret": True})
