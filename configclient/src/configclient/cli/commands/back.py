"""The ways back: ``rollback``, ``restore``, ``undo``."""

import click

from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import REVISION, Moment, Terms, examples, on_target, on_terms, state
from configclient.cli._output import as_output
from configclient.cli._paths import config_path, releases_path, scope_path
from configclient.cli._states import revision_at
from configclient.cli._target import Target
from configclient.cli._writes import Write, write


@click.command("rollback", epilog=examples("configctl rollback payments rate_limit --to-version 7 --env production"))
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
    write(api, Write("POST", path, {"version": to_version}, f"{namespace}/{key}"), terms, output)


@click.command(
    "restore",
    epilog=examples(
        "configctl restore payments --to-revision 45 --env production",
        "configctl restore payments --at 2026-11-17T15:00 --env production --dry-run",
    ),
)
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
    write(api, Write("POST", f"{scope_path(target.env, namespace)}/restore", body, namespace), terms, output)


@click.command("undo", epilog=examples("configctl undo 46 --env production --note '120 was too many'"))
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
    write(api, Write("POST", f"{releases_path(target.env, revision)}/undo", {}, f"release {revision}"), terms, output)
