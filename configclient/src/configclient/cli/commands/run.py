"""Settings for a program: ``run``."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import click

from configclient.cli._environment import variables
from configclient.cli._names import NAMESPACE
from configclient.cli._options import examples, on_target
from configclient.cli._paths import ENVS, config_path, with_query
from configclient.cli._supervise import STOP_TIMEOUT_S, keep_running, replace_with
from configclient.cli._target import Target

if TYPE_CHECKING:
    from configclient.cli._http import Api


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "configctl run --namespace payments --env production -- ./server --port 80",
        "configctl run --namespace payments --namespace global --prefix --env staging -- printenv",
        "configctl run --namespace payments --restart-on-change --env staging -- ./server",
    ),
)
@click.option("--namespace", "namespaces", type=NAMESPACE, multiple=True, required=True, help="Whose; may be repeated.")
@click.option("--prefix", is_flag=True, help="Begin each name with its namespace.")
@click.option("--restart-on-change", is_flag=True, help="Stop the program and start it anew when a setting changes.")
@click.option(
    "--stop-timeout",
    type=click.FloatRange(min=0),
    default=STOP_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long it may take to stop, before it is killed.",
)
@on_target
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run_command(
    target: Target,
    namespaces: tuple[str, ...],
    prefix: bool,
    restart_on_change: bool,
    stop_timeout: float,
    command: tuple[str, ...],
) -> int | None:
    """Run a program with settings as environment variables.

    The name of a variable is the key in capitals, with _ for all that is no letter or digit: db.pool-size is
    DB_POOL_SIZE. A string is passed as it is, everything else as JSON. Settings win over variables that are there
    already. Two keys of one name are an error, and so are names such as PATH, which decide what a program loads. No
    shell is in between. Signals go on to the program, and its exit code is kept.
    """
    api = target.api()

    def environ() -> dict[str, str]:
        entries = _entries(api, target.env, dict.fromkeys(namespaces))
        return dict(os.environ) | variables(entries, prefixed=prefix)

    if not restart_on_change:
        replace_with(command, environ())
        return None
    from configclient.cli._following import follow

    changed = threading.Event()
    with follow(target, tuple(dict.fromkeys(namespaces))) as client:
        client.on_change(lambda _: changed.set())
        return keep_running(command, environ, changed, stop_timeout)


def _entries(api: Api, env: str, namespaces: dict[str, None]) -> dict[tuple[str, str], dict[str, Any]]:
    """The settings of all these namespaces at one revision."""
    revision = None
    if len(namespaces) > 1:
        revision = next((each["revision"] for each in api.get(ENVS)["items"] if each["name"] == env), None)
    scopes = {name: api.get(with_query(config_path(env, name), {"revision": revision})) for name in namespaces}
    return {(name, key): entry for name, scope in scopes.items() for key, entry in sorted(scope["values"].items())}
