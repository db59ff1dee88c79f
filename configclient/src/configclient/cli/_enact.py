"""A drift, carried out: namespaces and keys first, then values, then what only then is possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _apply
from configclient.cli._apply import Plan
from configclient.cli._drift import Declaration, Deed, Drift
from configclient.cli._errors import CliError, Exit
from configclient.cli._paths import NAMESPACES, env_of_request_url, key_path
from configclient.cli._requests import propose

if TYPE_CHECKING:
    from configclient.cli._http import Api
    from configclient.cli._options import Terms


def carry_out(api: Api, drift: Drift, plans: Sequence[Plan], terms: Terms) -> list[dict[str, Any]]:
    """Makes of what is what shall be; gives the answers of the releases.

    What is possible only when the values are right comes last: tighter schemas, and deleting keys without values.
    """
    new: dict[str, list[Mapping[str, Any]]] = {}
    for each in drift.declarations:
        if each.deed is Deed.NEW and not each.key:
            api.send("POST", NAMESPACES, {"name": each.namespace, **each.body})
        elif each.deed is Deed.NEW:
            new.setdefault(each.namespace, []).append(each.body)
    _apply.declare(api, new)
    late = [each for each in drift.declarations if each.deed is not Deed.NEW and not _change(api, each, drift, terms)]
    for plan in plans:  # all of them, so that what one environment refuses is written to none
        _apply.try_out(api, plan, terms, quiet=True)
    releases = [release for plan in plans for release in _apply.apply(api, plan, terms)]
    for each in late:
        if each.deed is Deed.DELETE:
            api.send("DELETE", key_path(each.namespace, each.key), None)
        else:
            api.send("PATCH", key_path(each.namespace, each.key), _body(each, terms))
    return releases


def _change(api: Api, step: Declaration, drift: Drift, terms: Terms) -> bool:
    """Changes a key, or proposes that; tells whether it could be done before the values change."""
    if step.deed is Deed.DELETE:
        return False
    try:
        api.send("PATCH", key_path(step.namespace, step.key), _body(step, terms))
    except CliError as failure:
        if failure.request_url and "schema" in step.body:
            _propose_schema(api, step, env_of_request_url(failure.request_url), drift, terms)
            return True
        if failure.exit_code is not Exit.INVALID:
            raise
        return False
    return True


def _body(step: Declaration, terms: Terms) -> dict[str, Any]:
    return {**step.body, **{name: value for name, value in terms.body().items() if name == "break_glass"}}


def _propose_schema(api: Api, step: Declaration, env: str, drift: Drift, terms: Terms) -> None:
    """Proposes another schema, and changes the rest; a key that gets a value in the same breath has to wait for that.

    The release of the value would make the request void, or the other way round.
    """
    if rest := {name: value for name, value in step.body.items() if name != "schema"}:
        api.send("PATCH", key_path(step.namespace, step.key), rest)
    name = f"{step.namespace}/{step.key}"
    if any((each.namespace, each.key) == (step.namespace, step.key) for each in drift.steps.get(env, ())):
        click.echo(f"{name}: its value in {env} changes first; apply again for its schema, when that is done", err=True)
        return
    propose(api, env, [{"namespace": step.namespace, "key": step.key, "schema": step.body["schema"]}], terms.note)
