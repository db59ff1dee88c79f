"""A plan, shown, confirmed and written: keys are declared, then the values become one release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._convergence import wait_for
from configclient.cli._errors import CliError, Exit
from configclient.cli._paths import ENVS, config_path, keys_path, releases_path, with_query
from configclient.cli._plan import BODY_BYTES_MAX, Kind, Scope, Step, bodies, changes, check_room, parts, size_of
from configclient.cli._requests import propose
from configclient.cli._states import first_items
from configclient.cli._terminal import ask, somebody

if TYPE_CHECKING:
    from configclient.cli._http import Api
    from configclient.cli._options import Terms


@dataclass(frozen=True)
class Plan:
    """The steps towards a state of one environment, and what they start from."""

    env: str
    scopes: Sequence[Scope]
    steps: Sequence[Step]


def read_scope(api: Api, env: str, namespace: str) -> Scope:
    """A namespace in an environment as it is."""
    answer = api.get(config_path(env, namespace))
    keys = {key["key"]: key for key in first_items(api, keys_path(namespace), {})["items"]}
    return Scope(namespace, answer["cursor"], keys, answer["values"])


def plan_lines(steps: Iterable[Step]) -> list[str]:
    """A line for each step that changes something or can't be done."""
    return [render.step(step) for step in steps if step.kind is not Kind.SAME]


def summary(steps: Sequence[Step]) -> str:
    """How many steps of each kind."""
    counts = Counter(step.kind for step in steps)
    return ", ".join(f"{counts[kind]} {kind.value}" for kind in Kind if counts[kind]) or "nothing to do"


def check_plan(plan: Plan, *, split: bool = False) -> None:
    """Raises :class:`CliError` where a step can't be done, or there are more than the service takes."""
    conflicts = [step for step in plan.steps if step.kind is Kind.CONFLICT]
    if conflicts:
        named = render.some([f"{step.namespace}/{step.key} {step.reason}" for step in conflicts])
        raise CliError(f"nothing was written: {named}", Exit.INVALID)
    for scope in plan.scopes:
        check_room(scope, plan.steps)
    todo = changes(plan.steps)
    if (releases := len(parts(todo))) > 1 and not split:
        raise CliError(
            f"nothing was written: the {len(todo)} changes are {size_of(todo)} bytes, and one release takes "
            f"{BODY_BYTES_MAX}; --split makes {releases} releases of them, seen one after another",
            Exit.INVALID,
        )


def apply(api: Api, plan: Plan, terms: Terms) -> list[dict[str, Any]]:
    """Writes a plan that was checked; gives the answers of its releases, one unless it had to be split.

    A protected environment gets a change request instead of each release.
    Where the plan is about one namespace, it is written only if nobody changed that since it was read.
    """
    todo = changes(plan.steps)
    if not todo:
        return []
    protected = agree(api, [plan.env], terms)
    declare(api, _new_keys(todo))
    if protected and terms.break_glass is None:
        for part in parts(todo):
            propose(api, plan.env, [step.change() for step in part], terms.note)
        return []
    answers: list[dict[str, Any]] = []
    condition = f'"r{plan.scopes[0].cursor}"' if len(plan.scopes) == 1 else None
    for part in parts(todo):
        answers.append(_release(api, plan.env, part, terms, condition))
        condition = None if condition is None else f'"r{answers[-1]["cursor"]}"'
    if terms.wait:
        wait_for(api, plan.env, answers[-1]["revision"], terms.timeout_s)
    return answers


def try_out(api: Api, plan: Plan, terms: Terms, *, quiet: bool = False) -> None:
    """Lets the service check what it can without new keys, and says what else the plan would mean. Writes nothing.

    ``quiet``: only failures are said.
    """
    known = [step for step in changes(plan.steps) if step.kind is not Kind.NEW]
    for part in parts(known):
        answer = _release(api, plan.env, part, terms, None, dry_run=True)
        if not quiet:
            click.echo(render.dry_run(answer), err=True)
    if not known and not quiet:
        click.echo("dry run, nothing was written", err=True)


def declare(api: Api, keys: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Declares keys, by namespace: as few requests as can carry them, of each of which all are declared or none."""
    for namespace, declarations in keys.items():
        for part in bodies(declarations, dict):
            api.send("PATCH", keys_path(namespace), {"keys": part})


def _new_keys(steps: Iterable[Step]) -> dict[str, list[dict[str, Any]]]:
    keys: dict[str, list[dict[str, Any]]] = {}
    for step in steps:
        if step.kind is Kind.NEW:
            keys.setdefault(step.namespace, []).append(step.declaration())
    return keys


def agree(api: Api, envs: Sequence[str], terms: Terms) -> list[str]:
    """The protected ones among environments that shall be written.

    Where there are any, a person is asked; in a script, ``--yes`` has to have said so. Raises :class:`CliError`, and
    :class:`click.Abort` where the person says no.
    """
    protected = [each["name"] for each in api.get(ENVS)["items"] if each["review_required"] and each["name"] in envs]
    if protected and not terms.yes:
        names = f"{' and '.join(protected)} {'is' if len(protected) == 1 else 'are'} protected"
        if somebody():
            ask(f"{names}. {'Propose this?' if terms.break_glass is None else 'Write this without a review?'}")
        elif terms.break_glass is None:
            raise CliError(
                f"nothing was written: {names}; --yes proposes it, --break-glass is for emergencies",
                Exit.CONFLICT,
            )
    return protected


def _release(
    api: Api, env: str, steps: Sequence[Step], terms: Terms, condition: str | None, *, dry_run: bool = False
) -> dict[str, Any]:
    path = with_query(releases_path(env), {"dry_run": "true" if dry_run else None})
    body = {"changes": [step.change() for step in steps], **terms.body()}
    return api.write("POST", path, body, condition)
