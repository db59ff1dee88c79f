"""Who runs what now: ``watchers``."""

import click

from configclient.cli import _render as render
from configclient.cli._names import NAMESPACE
from configclient.cli._options import examples, on_target
from configclient.cli._output import as_output, emit
from configclient.cli._paths import watchers_path, with_query
from configclient.cli._target import Target


@click.command(
    "watchers",
    epilog=examples("configctl watchers --env production", "configctl watchers payments --env production -o json"),
)
@click.argument("namespace", type=NAMESPACE, required=False)
@on_target
@as_output
def watchers_command(target: Target, namespace: str | None, output: str) -> None:
    """Print the live clients of an environment, or of a namespace in it, and the revision that each shows."""
    page = target.api().get(with_query(watchers_path(target.env), {"namespace": namespace}))
    emit(output, page, lambda: render.watchers(page["items"]))
