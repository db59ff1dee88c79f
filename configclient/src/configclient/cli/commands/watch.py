"""``watch``: the SDK itself, printing what it hears."""

import queue
from datetime import datetime

import click

from configclient import Change
from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._following import follow
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import examples, on_target
from configclient.cli._output import outputs
from configclient.cli._paths import ME, with_query
from configclient.cli._target import Target

# After so long without a change it is asked whether any would come.
LOOK_S = 10.0


@click.command(
    "watch",
    epilog=examples(
        "configctl watch payments --env production",
        "configctl watch payments rate_limit --env production -o json | jq .new",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY, required=False)
@on_target
@outputs("json")
def watch_command(target: Target, namespace: str, key: str | None, output: str) -> None:
    """Print every change until Ctrl-C."""
    changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
    what = namespace if key is None else f"{namespace}/{key}"
    with follow(target, [namespace]) as client:
        client.on_change(changes.put, namespace=namespace, key=key)
        revision = client.snapshot().revision
        click.echo(f"watching {what} in {target.env} from revision {revision}; Ctrl-C ends", err=True)
        try:
            while True:
                try:
                    change = changes.get(timeout=LOOK_S)
                except queue.Empty:
                    _check(target, namespace)
                else:
                    click.echo(_line(change, target.env, as_json=output == "json"))
        except KeyboardInterrupt:
            return


def _check(target: Target, namespace: str) -> None:
    """Raises :class:`CliError` where the token may no longer watch; the SDK would wait until it may again."""
    try:
        target.api().get(with_query(ME, {"namespace": namespace, "env": target.env}))
    except CliError as failure:
        if failure.exit_code is not Exit.UNAVAILABLE:
            raise


def _line(change: Change, env: str, *, as_json: bool) -> str:
    if as_json:
        return render.as_json(
            {
                "namespace": change.namespace,
                "key": change.key,
                **({"secret": True} if change.secret else {"old": change.old, "new": change.new}),
                "env": env,
                "revision": change.revision,
            }
        )
    now = datetime.now().astimezone()
    place = f"{env} revision {change.revision}"
    old, new = (
        render.MASKED if change.secret and value is not None else _shown(value) for value in (change.old, change.new)
    )
    line = render.change_line(change.namespace, change.key, old, new, place)
    return f"{now:%H:%M:%S}.{now.microsecond // 1000:03}  {line}"


def _shown(value: object) -> str:
    # The SDK says None for a key without a value.
    return render.UNSET if value is None else render.short(value)
