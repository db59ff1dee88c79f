"""Waiting until every instance has a release: a progress bar for people, and a failure that names who is late."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._paths import convergence_path
from configclient.cli._terminal import somebody

if TYPE_CHECKING:
    from configclient.cli._http import Api

# One question is held this long: it is answered early when all have it, but not when one refuses it.
STEP_S = 1

Show = Callable[[dict[str, Any]], None]


def wait_for(api: Api, env: str, revision: int, timeout_s: float) -> None:
    """Returns when every live instance shows ``revision`` of ``env``, or there is none.

    Raises :class:`CliError` (exit code 7) where one refused it or time is up; it names them.
    """
    deadline = time.monotonic() + timeout_s
    with _bar(revision) as show:
        show(standing := api.get(convergence_path(env, revision, 0)))
        while not _decided(standing) and (left_s := deadline - time.monotonic()) > 0:
            show(standing := api.get(convergence_path(env, revision, math.ceil(min(left_s, STEP_S)))))
    click.echo(_verdict(standing, revision, timeout_s), err=True)


def _decided(standing: dict[str, Any]) -> bool:
    """Whether waiting changes nothing any more: all have it, nobody is there, or all who don't have refused it."""
    refused = standing["converged"] is False and not standing["laggards"]
    return bool(standing["converged"]) or standing["watchers"] == 0 or refused


def _verdict(standing: dict[str, Any], revision: int, timeout_s: float) -> str:
    if standing["converged"]:
        return f"revision {revision}: all {standing['watchers']} instances have it"
    if standing["watchers"] == 0:
        return f"revision {revision}: no instance listens"
    behind = [*map(render.laggard, standing["laggards"]), *map(render.rejecting, standing["rejected"])]
    if not behind:
        raise CliError(
            f"revision {revision}: the service can't say yet who has it; ask `watchers`", Exit.NOT_EVERYWHERE
        )
    count = f"{len(behind)} of {standing['watchers']} instances"
    reason = f" after {timeout_s:g} s" if standing["laggards"] else ""
    raise CliError(
        f"revision {revision} is written, but {count} do not have it{reason}: {render.some(behind)}",
        Exit.NOT_EVERYWHERE,
    )


@contextmanager
def _bar(revision: int) -> Iterator[Show]:
    if not somebody():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    text = f"revision {revision}: {{task.completed:.0f}} of {{task.total:.0f}} instances"
    columns = (TextColumn(text), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=0)
        yield lambda standing: progress.update(task, total=standing["watchers"], completed=standing["applied"])
