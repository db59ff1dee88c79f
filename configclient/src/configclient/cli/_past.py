"""What was: ``history``, ``show``, ``diff``, and the state that a time means."""

from datetime import datetime
from typing import Any

import click

from configclient.cli import _render as render
from configclient.cli._http import Api
from configclient.cli._moments import local
from configclient.cli._options import KEY, NAMESPACE, REVISION, Moment, Target, as_output, on_target, state
from configclient.cli._paths import Query, config_path, diff_path, releases_path, with_query

# The service's bound of one page; a longer history is read page by page.
PAGE_ITEMS_MAX = 500


@click.command("history")
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
        page = _newest(target.api(), f"{config_path(target.env, namespace, key)}/versions", {}, limit)
    else:
        page = _newest(target.api(), releases_path(target.env), {"namespace": namespace}, limit)
    if output == "json":
        click.echo(render.as_json(page))
        return
    for line in render.releases(page["items"]) if key is None else render.versions(page["items"]):
        click.echo(line)
    if page["next"] is not None:
        click.echo(f"these are the newest {limit}; more with --limit", err=True)


@click.command("show")
@click.argument("revision", type=REVISION)
@on_target
@as_output
def show_command(target: Target, revision: int, output: str) -> None:
    """Print one release with all that it changed.

    Who made it, when and why, then each key with what it was before and after.
    """
    api = target.api()
    answer = api.get(releases_path(target.env, revision))
    if output == "json":
        click.echo(render.as_json(answer))
        return
    for line in (*render.releases([answer]), *change_lines(api, answer)):
        click.echo(line)


@click.command("diff")
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
    if output == "json":
        click.echo(render.as_json(answer))
        return
    for row in answer["changes"]:
        click.echo(render.difference_line(row, namespace))
    verdict = "" if answer["changes"] else ": no difference"
    click.echo(f"{target.env} revision {answer['from']} → {answer['to']}{verdict}", err=True)


def scope_at(api: Api, env: str, namespace: str, moment: Moment | None) -> dict[str, Any]:
    """The settings of a namespace as they were; a time is said with the revision that it means."""
    query: Query = {"at": moment.isoformat()} if isinstance(moment, datetime) else {"revision": moment}
    answer = api.get(with_query(config_path(env, namespace), query))
    if isinstance(moment, datetime):
        click.echo(f"{namespace} in {env} was of revision {answer['revision']} at {local(moment)}", err=True)
    return answer


def revision_at(api: Api, env: str, namespace: str, moment: Moment) -> int:
    """The revision that a moment means."""
    return moment if isinstance(moment, int) else int(scope_at(api, env, namespace, moment)["revision"])


def change_lines(api: Api, release: dict[str, Any], place: str = "") -> list[str]:
    """The lines of a release's changes, with what each key was before it."""
    env, revision, changes = release["env"], release["revision"], release["changes"]
    before = {
        (namespace, row["key"]): render.item(row["from"])
        for namespace in dict.fromkeys(change["namespace"] for change in changes)
        for row in api.get(diff_path(env, namespace, revision - 1, revision))["changes"]
    }
    # A secret that was set to what it was is a change without a difference.
    return [render.new_line(each, before.get((each["namespace"], each["key"])), place) for each in changes]


def _newest(api: Api, path: str, query: Query, limit: int) -> dict[str, Any]:
    """The first ``limit`` items of a list, in the form of one page."""
    page: dict[str, Any] = {"items": [], "next": None}
    while True:
        wanted = min(limit - len(page["items"]), PAGE_ITEMS_MAX)
        more = api.get(with_query(path, {**query, "limit": wanted, "cursor": page["next"]}))
        page = {"items": page["items"] + more["items"], "next": more["next"]}
        if more["next"] is None or len(page["items"]) >= limit:
            return page
