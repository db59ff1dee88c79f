"""Change requests: how a change reaches a protected environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from configclient.cli._paths import env_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from configclient.cli._http import Api


def propose(api: Api, env: str, changes: Sequence[Mapping[str, Any]], note: str) -> dict[str, Any]:
    """Opens a request, says its number and what it waits for, and gives it.

    ``changes``: as a release has them. Raises :class:`CliError`.
    """
    request = api.send("POST", f"{env_path(env)}/requests", {"changes": list(changes), "note": note})
    needed = request["approvals"]["needed"]
    people = "somebody else approves" if needed == 1 else f"{needed} others approve"
    click.echo(f"{env} is protected: request {request['id']} is open, and is applied when {people}", err=True)
    return request


def proposed(preview: Mapping[str, Any], body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The changes of a dry run as a proposal has them; a secret's value is in the ``body`` of the write alone."""
    return [_proposed(change, body) for change in preview["changes"]]


def _proposed(change: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    named = {"namespace": change["namespace"], "key": change["key"]}
    if change.get("deleted"):
        return named | {"delete": True}
    return named | {"value": change["value"] if "value" in change else body.get("value")}
