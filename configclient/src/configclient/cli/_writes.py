"""One write of settings, as every command that changes some does it: send, then say what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError
from configclient.cli._output import emit
from configclient.cli._paths import with_query
from configclient.cli._states import change_lines

if TYPE_CHECKING:
    from configclient.cli._http import Api
    from configclient.cli._options import Terms


def write(api: Api, method: str, path: str, body: dict[str, Any], terms: Terms, what: str, output: str) -> None:
    """Sends a write on these terms, and says what it changed; ``what`` was to be written. Raises :class:`CliError`."""
    answer = _send(api, method, path, body, terms)
    emit(output, answer, lambda: _outcome(api, answer, what, terms))
    if terms.dry_run:
        click.echo(render.dry_run(answer), err=True)


def _send(api: Api, method: str, path: str, body: dict[str, Any], terms: Terms) -> dict[str, Any]:
    dry_run = "true" if terms.dry_run else None
    return api.write(method, with_query(path, {"dry_run": dry_run}), body | {"note": terms.note}, terms.if_match)


def _outcome(api: Api, answer: dict[str, Any], what: str, terms: Terms) -> list[str]:
    place = f"{answer['env']} revision {answer['revision']}"
    if not answer["changed"]:
        return [f"{what}  unchanged, {place}"]
    if terms.dry_run:  # the revision is one that nobody will see
        return [render.difference_line(row, row["namespace"], f"{answer['env']}, dry run") for row in answer["diff"]]
    try:
        # Read after the write: what was seen before it may not be what it replaced.
        return change_lines(api, answer, place)
    except CliError:  # it is written all the same; only what was before is not known
        return [render.new_line(change, None, place) for change in answer["changes"]]
