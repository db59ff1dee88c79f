"""What is there: ``get``, ``list``, ``watch``."""

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._options import KEY, NAMESPACE, Moment, Target, as_output, on_target, state
from configclient.cli._past import scope_at
from configclient.cli._paths import config_path


@click.command("get")
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


@click.command("list")
@click.argument("namespace", type=NAMESPACE)
@state("moment", "--revision", "--at", "As they were at this revision.")
@on_target
@as_output
def list_command(target: Target, namespace: str, moment: Moment | None, output: str) -> None:
    """Print all settings of a namespace, as they are or as they were."""
    answer = scope_at(target.api(), target.env, namespace, moment)
    if output == "json":
        click.echo(render.as_json(answer))
        return
    for line in render.settings(answer["values"]):
        click.echo(line)


@click.command("watch")
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY, required=False)
@on_target
@as_output
def watch_command(target: Target, namespace: str, key: str | None, output: str) -> None:
    """Print every change until Ctrl-C."""
    # Not at the top: only this command needs the SDK, and the others start quicker without.
    from configclient.cli._watch import watch

    watch(target, namespace, key, as_json=output == "json")
