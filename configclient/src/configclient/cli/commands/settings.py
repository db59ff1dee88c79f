"""What is there: ``get`` and ``list``."""

from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import Moment, examples, on_target, state
from configclient.cli._output import emit, outputs
from configclient.cli._paths import config_path
from configclient.cli._states import scope_at
from configclient.cli._target import Target


@click.command(
    "get",
    epilog=examples(
        "configctl get payments rate_limit --env production",
        'limit="$(configctl get payments rate_limit --env production)"',
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_target
@outputs("json", "yaml", "env")
def get_command(target: Target, namespace: str, key: str, output: str) -> None:
    """Print the value of one setting.

    A string is printed as it is, everything else as JSON.
    """
    answer = target.api().get(config_path(target.env, namespace, key))
    emit(output, answer, lambda: [_bare(namespace, key, answer)], lambda: {(namespace, key): answer})


@click.command(
    "list",
    epilog=examples(
        "configctl list payments --env production",
        "configctl list payments --env production --at 2026-11-17T15:00",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@state("moment", "--revision", "--at", "As they were at this revision.")
@on_target
@outputs("json", "yaml", "env")
def list_command(target: Target, namespace: str, moment: Moment | None, output: str) -> None:
    """Print all settings of a namespace, as they are or as they were."""
    answer = scope_at(target.api(), target.env, namespace, moment)
    entries = {(namespace, key): entry for key, entry in answer["values"].items()}
    emit(output, answer, lambda: render.settings(answer["values"]), lambda: entries)


def _bare(namespace: str, key: str, answer: dict[str, Any]) -> str:
    if "value" not in answer:
        raise CliError(f"{namespace}/{key} is a secret, and this token may not read it", Exit.FORBIDDEN)
    return render.bare(answer["value"])
