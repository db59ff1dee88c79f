"""Reading states and lists, for the commands that need the same: a scope as it was, all pages, what a release did."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._moments import local
from configclient.cli._paths import Query, config_path, diff_path, with_query

if TYPE_CHECKING:
    from configclient.cli._http import Api
    from configclient.cli._options import Moment

# The service's bound of one page; a longer list is read page by page.
PAGE_ITEMS_MAX = 500


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


def first_items(api: Api, path: str, query: Query, limit: float = float("inf")) -> dict[str, Any]:
    """The first ``limit`` items of a list, by default all, in the form of one page."""
    page: dict[str, Any] = {"items": [], "next": None}
    while True:
        wanted = int(min(limit - len(page["items"]), PAGE_ITEMS_MAX))
        more = api.get(with_query(path, {**query, "limit": wanted, "cursor": page["next"]}))
        page = {"items": page["items"] + more["items"], "next": more["next"]}
        if more["next"] is None or len(page["items"]) >= limit:
            return page
