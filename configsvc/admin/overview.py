"""The first page: where things stand."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, render_template

from configsvc.admin.guard import caller
from configsvc.admin.paging import BEGINNING, every_page
from configsvc.service.access import Caller
from configsvc.service.catalog import Catalog
from configsvc.service.change_requests import ChangeRequests
from configsvc.service.history import History
from configsvc.service.watchers import Watchers
from configsvc.store.change_requests import Filter

#: Releases of an environment that are looked through for a namespace's latest one; beyond it, its history has it.
_RECENT = 200


@dataclass(frozen=True)
class Standing:
    """An environment, its last release, how many instances are alive and how many requests wait."""

    env: Mapping[str, Any]
    latest: Mapping[str, Any] | None
    instances: int
    rejected: int
    waiting: int


def add(routes: Blueprint, catalog: Catalog, history: History, watchers: Watchers, requests: ChangeRequests) -> None:
    """Add the page."""

    @routes.get("/", endpoint="overview")
    def show() -> str:
        who = caller()
        waiting = list(_waiting(requests, who))
        envs = catalog.environments(who)
        recent = {row["name"]: _recent(history, who, row["name"]) for row in envs}
        standings = []
        for row in envs:
            live = watchers.live(who, row["name"], None)
            standings.append(
                Standing(
                    row,
                    next(iter(recent[row["name"]]), None),
                    len(live),
                    sum(client["rejected"] is not None for client in live),
                    sum(request["env"] == row["name"] for request in waiting),
                )
            )
        spaces = sorted(every_page(partial(catalog.namespaces, who)), key=_name)
        latest = {space["name"]: _latest(space["name"], recent) for space in spaces}
        return render_template("overview.html", envs=envs, standings=standings, namespaces=spaces, latest=latest)


def _recent(history: History, who: Caller, env: str) -> Sequence[Mapping[str, Any]]:
    return history.releases(who, env, None, BEGINNING, _RECENT)[0]


def _waiting(requests: ChangeRequests, who: Caller) -> Iterator[Mapping[str, Any]]:
    for status in ("open", "approved"):
        wanted = Filter(status=status)
        yield from every_page(partial(requests.page, who, wanted))


def _latest(namespace: str, recent: Mapping[str, Sequence[Mapping[str, Any]]]) -> Mapping[str, Any] | None:
    """Return the last release of a namespace in any environment, with that."""
    found = [
        {**release, "env": env}
        for env, releases in recent.items()
        for release in releases
        if namespace in release["namespaces"]
    ]
    return max(found, key=lambda release: release["created_at"], default=None)


def _name(row: Mapping[str, Any]) -> str:
    return str(row["name"])
