"""One write of settings, as every command that changes some does it: look, ask, send, say what changed, wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._convergence import wait_for
from configclient.cli._errors import CliError, Exit
from configclient.cli._output import emit
from configclient.cli._paths import key_path, keys_path, with_query
from configclient.cli._requests import propose, proposed
from configclient.cli._states import change_lines
from configclient.cli._terminal import ask, somebody

if TYPE_CHECKING:
    from configclient.cli._http import Api
    from configclient.cli._options import Terms


@dataclass(frozen=True)
class Write:
    """What is to be sent; ``what`` says in words what was to be written."""

    method: str
    path: str
    body: dict[str, Any]
    what: str


def write(api: Api, wanted: Write, terms: Terms, output: str, preview: dict[str, Any] | None = None) -> dict[str, Any]:
    """Does a write on these terms, and gives the answer.

    On a terminal it is tried first: what would change and who would see it is shown. Where the environment is
    protected a person is asked, and a change request is opened; ``--yes`` does so without a person. ``preview``: what
    was shown and agreed to already. Raises :class:`CliError`, and :class:`click.Abort` where the person says no.
    """
    if preview is None and (somebody() or terms.yes) and not terms.dry_run:
        preview = _look(api, wanted, terms)
    if preview is not None and preview["changed"] and preview["review_required"] and terms.break_glass is None:
        return _propose(api, wanted, preview, terms, output)
    answer = _send(api, wanted, terms)
    emit(output, answer, lambda: _outcome(api, answer, wanted.what, terms))
    if terms.dry_run:
        click.echo(render.dry_run(answer), err=True)
    elif terms.wait and answer["changed"]:
        wait_for(api, answer["env"], answer["revision"], terms.timeout_s)
    return answer


def try_out(api: Api, wanted: Write, terms: Terms) -> dict[str, Any]:
    """The answer of a dry run."""
    return _send(api, wanted, replace(terms, dry_run=True))


def show(preview: dict[str, Any]) -> None:
    """Shows a person what would change, and who would see it."""
    for row in preview["diff"]:
        click.echo(render.difference_line(row, row["namespace"]), err=True)
    click.echo(render.audience(preview), err=True)


def _look(api: Api, wanted: Write, terms: Terms) -> dict[str, Any]:
    preview = try_out(api, wanted, terms)
    if not preview["changed"]:
        return preview
    show(preview)
    if preview["review_required"] and not terms.yes:
        what = "Propose this?" if terms.break_glass is None else "Write this without a review?"
        ask(f"{preview['env']} is protected. {what}")
    return preview


def _propose(api: Api, wanted: Write, preview: dict[str, Any], terms: Terms, output: str) -> dict[str, Any]:
    changes = proposed(preview, wanted.body)
    if "type" in wanted.body:
        _declare(api, changes[0], wanted.body["type"])
    request = propose(api, preview["env"], changes, terms.note)
    emit(output, request, lambda: [f"{wanted.what}  {preview['env']} request {request['id']}"])
    return request


def _declare(api: Api, change: dict[str, Any], type_: str) -> None:
    """Declares the key, as the write would have done; the dry run says that its type is right if it is there."""
    key = key_path(change["namespace"], change["key"])
    try:
        api.get(key)
    except CliError as failure:
        if failure.exit_code is not Exit.NOT_FOUND:
            raise
        api.send("POST", keys_path(change["namespace"]), {"key": change["key"], "type": type_})


def _send(api: Api, wanted: Write, terms: Terms) -> dict[str, Any]:
    dry_run = "true" if terms.dry_run else None
    path = with_query(wanted.path, {"dry_run": dry_run})
    return api.write(wanted.method, path, wanted.body | terms.body(), terms.if_match)


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
