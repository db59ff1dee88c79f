"""The first page: where things stand."""

from collections import Counter
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
    """An environment, its last release, how its running instances are, and how many requests wait."""

    env: Mapping[str, Any]
    latest: Mapping[str, Any] | None
    health: "Health"
    waiting: int


@dataclass(frozen=True)
class Health:
    """How many instances run, how many of them hear of news in which way, and how many have not taken the last ones.

    ``stale``: show something older than the last release that concerns them, and did not refuse it.
    """

    instances: int
    push: int
    long_poll: int
    stale: int
    rejected: int


def health(clients: Sequence[Mapping[str, Any]], releases: Sequence[Mapping[str, Any]]) -> Health:
    """Sum up live clients, by the newest releases of their environment, newest first."""
    ways = Counter(client["transport"] for client in clients)
    refusing = [client["rejected"] is not None for client in clients]
    behind = [(client["revision"] or 0) < _concerning(client["namespaces"], releases) for client in clients]
    stale = sum(late and not refused for late, refused in zip(behind, refusing, strict=True))
    return Health(len(clients), ways["redis"], ways["longpoll"], stale, sum(refusing))


def _concerning(namespaces: Sequence[str], releases: Sequence[Mapping[str, Any]]) -> int:
    mine = frozenset(namespaces)
    return next((int(release["revision"]) for release in releases if not mine.isdisjoint(release["namespaces"])), 0)


def add(routes: Blueprint, catalog: Catalog, history: History, watchers: Watchers, requests: ChangeRequests) -> None:
    """Add the page."""

    @routes.get("/", endpoint="overview")
    def show() -> str:
        who = caller()
        waiting = list(_waiting(requests, who))
        envs = catalog.environments(who)
        recent = {row["name"]: _recent(history, who, row["name"]) for row in envs}
        standings = [
            Standing(
                row,
                next(iter(recent[row["name"]]), None),
                health(watchers.live(who, row["name"], None), recent[row["name"]]),
                sum(request["env"] == row["name"] for request in waiting),
            )
            for row in envs
        ]
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
