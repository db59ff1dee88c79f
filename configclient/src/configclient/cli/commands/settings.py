"""What is there: ``get``, ``list`` and ``reveal``."""

from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import Moment, examples, on_target, state
from configclient.cli._output import as_output, emit, outputs
from configclient.cli._paths import config_path, reveal_path
from configclient.cli._states import scope_at
from configclient.cli._target import Target
from configclient.cli._terminal import somebody


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


@click.command(
    "reveal",
    epilog=examples(
        "configctl reveal payments db.password --env production --reason 'INC-4711: does it fit?'",
        "configctl reveal payments db.password --env production --reason INC-4711 | xclip",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.option("--reason", help="Why you need to see it; the audit trail keeps it. Asked for if missing.")
@on_target
@as_output
def reveal_command(target: Target, namespace: str, key: str, reason: str | None, output: str) -> None:
    """Print one secret, for a person who has a reason. It takes ops.

    Who saw it and why is in the audit trail before it is on the screen. Applications read theirs with a token of the
    role service.
    """
    if not reason:
        if not somebody():
            raise click.UsageError("give a --reason", click.get_current_context())
        reason = click.prompt(f"Why do you need to see {namespace}/{key}", err=True)
    answer = target.api().send("POST", reveal_path(target.env, namespace, key), {"reason": reason})
    emit(output, answer, lambda: [render.bare(answer["value"])])


def _bare(namespace: str, key: str, answer: dict[str, Any]) -> str:
    if "value" not in answer:
        raise CliError(
            f"{namespace}/{key} is a secret, which only applications get; `configctl reveal` shows it to whoever may, "
            "with a reason",
            Exit.FORBIDDEN,
        )
    return render.bare(answer["value"])
