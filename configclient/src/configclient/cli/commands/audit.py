"""Who did what, when: ``audit``."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render_access as render
from configclient.cli._names import ENVIRONMENT, KEY, NAMESPACE
from configclient.cli._options import examples, on_service, time_of
from configclient.cli._output import as_output, emit
from configclient.cli._paths import AUDIT, Query, with_query
from configclient.cli._render import as_json
from configclient.cli._states import first_items
from configclient.cli._target import Service

if TYPE_CHECKING:
    from configclient.cli._http import Api

FOLLOW_S = 1.0
# So many of the newest events are looked at each time.
WINDOW = 100


@click.command(
    "audit",
    epilog=examples(
        "configctl audit --env production --since 2026-11-16",
        "configctl audit payments rate_limit --limit 100",
        "configctl audit --action authentication.failed --follow",
        "configctl audit --actor anna --all -o json | jq -r '.items[].action'",
    ),
)
@click.argument("namespace", type=NAMESPACE, required=False)
@click.argument("key", type=KEY, required=False)
@click.option("--env", type=ENVIRONMENT, metavar="ENV", help="Only what is about this environment.")
@click.option("--actor", help="Only what this token did.")
@click.option("--action", help="Only this action, or all that begin so: request, release.undo.")
@click.option("--since", type=time_of, metavar="TIME", help="From this time on, in ISO 8601.")
@click.option("--until", type=time_of, metavar="TIME", help="Before this time.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, newest first.")
@click.option("--all", "every", is_flag=True, help="All of them, however many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, oldest first, until Ctrl-C.")
@on_service
@as_output
def audit_command(
    service: Service,
    limit: int,
    every: bool,
    follow: bool,
    output: str,
    since: datetime | None,
    until: datetime | None,
    **filters: str | None,
) -> None:
    """Print who did what, when and from where, of all environments that you may see.

    Details are cut in the table; -o json has all of each event. With --follow it is one event per line.
    """
    if follow and (every or until or output == "yaml"):
        raise click.UsageError("--follow goes with neither --all, --until nor -o yaml", click.get_current_context())
    times = {"since": since.isoformat() if since else None, "until": until.isoformat() if until else None}
    query: Query = {**filters, **times}
    api = service.api()
    if follow:
        _follow(api, query, limit, output)
        return
    page = first_items(api, AUDIT, query, math.inf if every else limit)
    emit(output, page, lambda: render.events(page["items"]))
    if output == "text" and page["next"] is not None:
        click.echo(f"these are the newest {limit}; more with --limit or --all", err=True)


def _follow(api: Api, query: Query, limit: int, output: str) -> None:
    line = as_json if output == "json" else render.event
    items = first_items(api, AUDIT, query, max(limit, WINDOW))["items"]
    seen = {each["id"] for each in items}
    items = items[:limit]
    try:
        while True:
            for each in reversed(items):
                click.echo(line(each))
            time.sleep(FOLLOW_S)
            items, seen = _new(api, query, seen)
    except KeyboardInterrupt:
        return


def _new(api: Api, query: Query, seen: set[int]) -> tuple[list[dict[str, Any]], set[int]]:
    """The events that were not seen in the last look, newest first, and all that this look saw.

    Several transactions write at once, so one may appear behind another with a larger number.
    """
    items: list[dict[str, Any]] = []
    looked: set[int] = set()
    cursor = None
    while True:
        page = api.get(with_query(AUDIT, {**query, "limit": WINDOW, "cursor": cursor}))
        new = [each for each in page["items"] if each["id"] not in seen]
        items += new
        looked |= {each["id"] for each in page["items"]}
        cursor = page["next"]
        if not new or len(new) < len(page["items"]) or cursor is None:
            return items, looked
