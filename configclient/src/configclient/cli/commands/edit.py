"""A whole namespace in an editor: ``edit``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli._apply import Plan, apply, check_plan, plan_lines, read_scope, try_out
from configclient.cli._editor import Draft
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import NAMESPACE
from configclient.cli._options import Terms, examples, on_plan_terms, on_target
from configclient.cli._plan import Kind, Scope, Step, changes, plan, unset
from configclient.cli._target import Target

if TYPE_CHECKING:
    from configclient.cli._http import Api

HEAD = """\
# {namespace} in {env}, as YAML. Change values, add keys, remove lines to unset keys; then save and leave.
# A new key gets the type of its value: string, int, float, bool, or json for lists and maps.
# Leave without a change, and nothing is written.
"""


@click.command(
    "edit",
    epilog=examples(
        "configctl edit payments --env staging", "EDITOR='code --wait' configctl edit payments --env production"
    ),
)
@click.argument("namespace", type=NAMESPACE)
@on_plan_terms
@on_target
def edit_command(target: Target, terms: Terms, namespace: str) -> None:
    """Change a namespace in your editor ($VISUAL, $EDITOR), as one release.

    Shows what is different, and writes it only if nobody changed the namespace meanwhile. If somebody did, what you
    changed is put on top of what is there now, and you can look again. Your text is never lost: whatever goes wrong,
    it stays in a file that is named. Secrets are not shown, and left alone.
    """
    api = target.api()
    draft = Draft(f"{namespace}.{target.env}.yaml")
    base = read_scope(api, target.env, namespace)
    text = _document(base, target.env)
    written = None
    while written is None:
        edited = draft.edit(text)
        try:
            written = _write(api, Plan(target.env, [base], _steps(base, edited)), terms)
        except CliError as failure:
            draft.look_again(failure)
            before, text = base, edited
            if failure.exit_code is Exit.CONFLICT:
                click.echo(f"your text as it was: {draft.keep()}", err=True)
                base = read_scope(api, target.env, namespace)
                text = _document(base, target.env, changes(_steps(before, edited)), before)
        except click.Abort:
            click.echo(f"nothing was written; {draft.kept()}", err=True)
            raise
    draft.discard()
    if not written:
        click.echo("nothing was changed", err=True)


def _write(api: Api, wanted: Plan, terms: Terms) -> bool:
    """Shows what is different, and writes it; tells whether there was anything. Raises :class:`CliError`."""
    lines = plan_lines(wanted.steps)
    for line in lines:
        click.echo(line)
    check_plan(wanted)
    if terms.dry_run and lines:
        try_out(api, wanted, terms)
        return True
    for release in apply(api, wanted, terms):
        click.echo(f"{release['env']} revision {release['revision']}")
    return bool(lines)


def _steps(base: Scope, text: str) -> list[Step]:
    from configclient.cli import _yaml

    try:
        values, _ = _yaml.load(text)
    except _yaml.NotYaml as error:
        raise CliError(f"this is no YAML: {error}", Exit.INVALID) from None
    if not isinstance(values, dict | None):
        raise CliError("this is no map of settings", Exit.INVALID)
    shown = {key for key, entry in base.values.items() if "value" in entry}
    return [*plan(base, values or {}, typed=True), *unset(base, shown - set(values or {}))]


def _document(scope: Scope, env: str, steps: Sequence[Step] = (), before: Scope | None = None) -> str:
    """The YAML of a scope with ``steps`` on top; where both they and somebody else changed a key, a comment says so."""
    from configclient.cli import _yaml

    edits = {step.key: step for step in steps}
    parts = [HEAD.format(namespace=scope.namespace, env=env)]
    for key in sorted(scope.values.keys() | edits.keys()):
        entry, edit = scope.values.get(key), edits.get(key)
        if entry is not None and "value" not in entry:
            parts.append(f"# {key} is a secret, and stays as it is\n")
            continue
        if before is not None and edit is not None and entry != before.values.get(key):
            was, now = render.item(before.values.get(key)), render.item(entry)
            parts.append(f"# changed meanwhile: {was} when you began, {now} now; below is yours\n")
        if edit is not None and edit.kind is Kind.UNSET:
            parts.append(f"# {key} was unset by you\n")
            continue
        value: Any = edit.value if edit is not None else entry["value"] if entry is not None else None
        kind = edit.type if edit is not None else entry["type"] if entry is not None else ""
        parts.append(f"# {kind}\n{_yaml.dump({key: value})}")
    return "\n".join(parts)
