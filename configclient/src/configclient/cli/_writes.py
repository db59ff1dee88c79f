"""What changes settings: ``set`` and ``unset``, and the ways back: ``rollback``, ``restore``, ``undo``."""

import io
import re
import sys
from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._http import Api
from configclient.cli._options import (
    KEY,
    NAMESPACE,
    REVISION,
    Moment,
    Target,
    Terms,
    as_output,
    on_target,
    on_terms,
    state,
)
from configclient.cli._past import change_lines, revision_at
from configclient.cli._paths import config_path, key_path, releases_path, scope_path, with_query
from configclient.cli._values import TYPES, parse

# The bound of a request's body. What is longer is refused before it is sent.
INPUT_BYTES_MAX = 2**20
NEGATIVE_NUMBER = re.compile(r"-\.?[0-9].*")


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


@click.command("set", cls=SetCommand)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.argument("value", required=False)
@click.option("--type", "type_", type=click.Choice(TYPES), help="Declare the key with this type, if it is new.")
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
    value_file: io.BufferedReader | None,
    output: str,
) -> None:
    """Change one setting, and say what changed.

    The key's type decides how VALUE is read. A string is taken literally; int, float, bool and json are read as JSON.
    A VALUE of - is read from standard input; of what is read, one newline at the end is dropped, as `get` adds one.
    """
    text = _text(value, value_file)
    api = target.api()
    parsed = parse(text, type_ or _declared_type(api, namespace, key))
    body = {"value": parsed} | ({"type": type_} if type_ else {})
    answer = _send(api, "PUT", config_path(target.env, namespace, key), body, terms)
    _report(api, answer, f"{namespace}/{key}  {render.short(parsed)}", terms, output)


@click.command("unset")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_terms
@on_target
@as_output
def unset_command(target: Target, terms: Terms, namespace: str, key: str, output: str) -> None:
    """Take away the value of one setting. The key stays declared, and the history stays."""
    api = target.api()
    answer = _send(api, "DELETE", config_path(target.env, namespace, key), {}, terms)
    _report(api, answer, f"{namespace}/{key}  {render.UNSET}", terms, output)


@click.command("rollback")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.option("--to-version", type=click.IntRange(min=1), required=True, metavar="VERSION", help="See `history`.")
@on_terms
@on_target
@as_output
def rollback_command(target: Target, terms: Terms, namespace: str, key: str, to_version: int, output: str) -> None:
    """Put one setting back to an earlier version.

    It is a new version, in a new release: nothing of the history goes.
    """
    api = target.api()
    path = f"{config_path(target.env, namespace, key)}/rollback"
    answer = _send(api, "POST", path, {"version": to_version}, terms)
    _report(api, answer, f"{namespace}/{key}", terms, output)


@click.command("restore")
@click.argument("namespace", type=NAMESPACE)
@state("moment", "--to-revision", "--at", "The state to go back to.")
@on_terms
@on_target
@as_output
def restore_command(target: Target, terms: Terms, namespace: str, moment: Moment | None, output: str) -> None:
    """Put a whole namespace back to an earlier state.

    What changed since returns, what was added goes, what was taken away comes back, in one new release.
    """
    if moment is None:
        raise click.UsageError("give --to-revision or --at", click.get_current_context())
    api = target.api()
    body = {"revision": revision_at(api, target.env, namespace, moment)}
    answer = _send(api, "POST", f"{scope_path(target.env, namespace)}/restore", body, terms)
    _report(api, answer, namespace, terms, output)


@click.command("undo")
@click.argument("revision", type=REVISION)
@on_terms
@on_target
@as_output
def undo_command(target: Target, terms: Terms, revision: int, output: str) -> None:
    """Put back what one release changed.

    That and nothing else, as a new release; what came after it stays. Refused where later releases
    changed the same keys: undo those first, or set the keys as you want them.
    """
    api = target.api()
    answer = _send(api, "POST", f"{releases_path(target.env, revision)}/undo", {}, terms)
    _report(api, answer, f"release {revision}", terms, output)


def _send(api: Api, method: str, path: str, body: dict[str, Any], terms: Terms) -> dict[str, Any]:
    dry_run = "true" if terms.dry_run else None
    return api.write(method, with_query(path, {"dry_run": dry_run}), body | {"note": terms.note}, terms.if_match)


def _report(api: Api, answer: dict[str, Any], what: str, terms: Terms, output: str) -> None:
    """Says what a write changed; ``what`` was to be written."""
    for line in [render.as_json(answer)] if output == "json" else _outcome(api, answer, what, terms):
        click.echo(line)
    if terms.dry_run:
        click.echo(render.dry_run(answer), err=True)


def _outcome(api: Api, answer: dict[str, Any], what: str, terms: Terms) -> list[str]:
    place = f"{answer['env']} revision {answer['revision']}"
    if not answer["changed"]:
        return [f"{what}  unchanged, {place}"]
    if terms.dry_run:  # the revision is one that nobody will see
        return [render.difference_line(row, row["namespace"], f"{answer['env']}, dry run") for row in answer["diff"]]
    try:
        # Read after the write: what was seen before it may not be what it replaced.
        return change_lines(api, answer, place)
    except CliError:  # it is written all the same; only what was before is not known
        return [render.new_line(change, None, place) for change in answer["changes"]]


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
