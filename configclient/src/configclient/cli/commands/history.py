"""What was: ``history``, ``show``, ``diff``."""

import click

from configclient.cli import _render as render
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import REVISION, Moment, examples, on_target, state
from configclient.cli._output import as_output, emit
from configclient.cli._paths import config_path, diff_path, releases_path
from configclient.cli._states import change_lines, first_items, revision_at
from configclient.cli._target import Target


@click.command(
    "history",
    epilog=examples(
        "configctl history payments rate_limit --env production   # the versions of a key",
        "configctl history payments --env production              # the releases of a namespace",
        "configctl history --env production --limit 100 -o json",
    ),
)
@click.argument("namespace", type=NAMESPACE, required=False)
@click.argument("key", type=KEY, required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@on_target
@as_output
def history_command(target: Target, namespace: str | None, key: str | None, limit: int, output: str) -> None:
    """Print who changed what, when and why, newest first.

    Of a key: its versions, with their values. Of a namespace, or of the whole environment: the releases.
    """
    if namespace is not None and key is not None:
        page = first_items(target.api(), f"{config_path(target.env, namespace, key)}/versions", {}, limit)
    else:
        page = first_items(target.api(), releases_path(target.env), {"namespace": namespace}, limit)
    table = render.releases if key is None else render.versions
    emit(output, page, lambda: table(page["items"]))
    if output == "text" and page["next"] is not None:
        click.echo(f"these are the newest {limit}; more with --limit", err=True)


@click.command("show", epilog=examples("configctl show 46 --env production"))
@click.argument("revision", type=REVISION)
@on_target
@as_output
def show_command(target: Target, revision: int, output: str) -> None:
    """Print one release with all that it changed.

    Who made it, when and why, then each key with what it was before and after.
    """
    api = target.api()
    answer = api.get(releases_path(target.env, revision))
    emit(output, answer, lambda: [*render.releases([answer]), *change_lines(api, answer)])


@click.command(
    "diff",
    epilog=examples(
        "configctl diff payments --env production --from 41",
        "configctl diff payments --env production --from-time 2026-11-16 --to-time 2026-11-17T15:00+01:00",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@state("start", "--from", "--from-time", "The state to compare with.")
@state("end", "--to", "--to-time", "The state to compare; without it, the newest.")
@on_target
@as_output
def diff_command(target: Target, namespace: str, start: Moment | None, end: Moment | None, output: str) -> None:
    """Print what differs in a namespace between two states."""
    if start is None:
        raise click.UsageError("give --from or --from-time", click.get_current_context())
    api = target.api()
    first = revision_at(api, target.env, namespace, start)
    last = None if end is None else revision_at(api, target.env, namespace, end)
    answer = api.get(diff_path(target.env, namespace, first, last))
    emit(output, answer, lambda: [render.difference_line(row, namespace) for row in answer["changes"]])
    if output == "text":
        verdict = "" if answer["changes"] else ": no difference"
        click.echo(f"{target.env} revision {answer['from']} → {answer['to']}{verdict}", err=True)
