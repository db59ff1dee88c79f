"""Change requests: how a change reaches a protected environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli import _render_requests as shown
from configclient.cli._convergence import wait_for
from configclient.cli._errors import CliError, Exit
from configclient.cli._output import emit
from configclient.cli._paths import ME, REQUESTS, Query, env_path, request_path, with_query
from configclient.cli._states import change_lines
from configclient.cli._terminal import ask, somebody

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from configclient.cli._http import Api
    from configclient.cli._options import Terms

# The requests that somebody has still to do something about.
WAITING = ("open", "approved")
# So many of one's own newest are looked at before another is opened.
LOOKED_AT_MAX = 20


def propose(api: Api, env: str, changes: Sequence[Mapping[str, Any]], note: str) -> dict[str, Any]:
    """Opens a request, says its number and what it waits for, and gives it.

    Where the caller proposes just that already it is not done a second time, so that a pipeline can be run again.
    ``changes``: as a release has them. Raises :class:`CliError`.
    """
    request = _already(api, env, changes)
    verb = "waits" if request is None else "proposes this already, and waits"
    request = request or api.send("POST", f"{env_path(env)}/requests", {"changes": list(changes), "note": note})
    missing = request["approvals"]["needed"] - len(request["approvals"]["by"])
    people = "somebody else approves it" if missing == 1 else f"{missing} others approve it"
    until = f" until {people}; then" if missing > 0 else ""
    click.echo(f"{env} is protected: request {request['id']} {verb}{until}: configctl apply {request['id']}", err=True)
    return request


def _already(api: Api, env: str, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The caller's request that waits with these changes; never one with a new secret, which nobody is shown."""
    query: Query = {"env": env, "author": str(api.get(ME)["name"]), "limit": LOOKED_AT_MAX}
    wanted, namespaces = _content(changes), sorted({each["namespace"] for each in changes})
    for status in WAITING:
        for head in api.get(with_query(REQUESTS, {**query, "status": status}))["items"]:
            if head["namespaces"] != namespaces:
                continue
            request = api.get(request_path(str(head["id"])))
            if _content(request["changes"]) == wanted:
                return request
    return None


def _content(changes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What changes are about, in a form that can be compared."""
    return sorted(json.dumps(_compared(each), sort_keys=True) for each in changes)


def _compared(change: Mapping[str, Any]) -> dict[str, Any]:
    named = {"namespace": change["namespace"], "key": change["key"]}
    if "promote_from" in change:
        return named | {"source": {"env": change["promote_from"], "revision": change["revision"]}}
    if "promoted_from" in change:
        return named | {"source": change["promoted_from"]}
    return named | {name: change[name] for name in ("value", "delete", "schema") if name in change}


def proposed(preview: Mapping[str, Any], body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes of a dry run as a proposal has them.

    What is promoted is named by where it is from. Otherwise a secret's value is in the ``body`` of the write alone.

    Raises :class:`CliError` where it is not: a way back to a secret that nobody is shown.
    """
    return [_proposed(change, body) for change in preview["changes"]]


def _proposed(change: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    named = {"namespace": change["namespace"], "key": change["key"]}
    if change.get("deleted"):
        return named | {"delete": True}
    if "from" in body:
        return named | {"promote_from": body["from"], "revision": body["revision"]}
    if "value" not in change and "value" not in body:
        raise CliError(
            f"{change['namespace']}/{change['key']} is a secret, and a request for its earlier value can't be opened: "
            "propose the value itself with `set`, or, in an emergency, --break-glass REASON",
            Exit.CONFLICT,
        )
    return named | {"value": change["value"] if "value" in change else body["value"]}


def approve(api: Api, number: str, comment: str, digest: str | None, *, yes: bool) -> dict[str, Any]:
    """Shows a request, asks, and approves just what was shown; gives the request as it is then.

    ``digest``: of what was looked at before; something else is not approved. Raises :class:`CliError`, and
    :class:`click.Abort` where the person says no.
    """
    request = api.get(request_path(number))
    for line in shown.request(request):
        click.echo(line, err=True)
    if digest is not None and digest != request["digest"]:
        raise _edited(number)
    if "approve" in request["may"] and digest is None and not yes:
        if not somebody():
            raise CliError(
                f"nobody is here to look at request {number}: give the --digest of what was looked at, or --yes",
                Exit.USAGE,
            )
        ask(f"Approve this for {request['env']}?")
    body = {"decision": "approve", "comment": comment, "digest": request["digest"]}
    try:
        return api.send("POST", request_path(number, "reviews"), body)
    except CliError as failure:
        raise _edited(number) if failure.code == "revision_mismatch" else failure from None


def _edited(number: str) -> CliError:
    return CliError(
        f"request {number} is not what you looked at any more, and was not approved; look again: "
        f"configctl approve {number}",
        Exit.CONFLICT,
    )


def apply_request(api: Api, number: str, terms: Terms, output: str) -> None:
    """Applies an approved request, and says what changed. Raises :class:`CliError`."""
    if somebody() and not terms.dry_run:
        for line in shown.request(api.get(request_path(number))):
            click.echo(line, err=True)
    path = with_query(request_path(number, "apply"), {"dry_run": "true" if terms.dry_run else None})
    answer = api.write("POST", path, {})
    place = f"{answer['env']} revision {answer['revision']}"
    if terms.dry_run:
        emit(output, answer, lambda: [line for row in answer["diff"] for line in shown.difference(row)])
        click.echo(render.dry_run(answer | {"review_required": False}), err=True)  # that was its review
        return
    emit(output, answer, lambda: change_lines(api, answer, place) or [f"request {number} applied, {place}"])
    if terms.wait and answer["changed"]:
        wait_for(api, answer["env"], answer["revision"], terms.timeout_s)
