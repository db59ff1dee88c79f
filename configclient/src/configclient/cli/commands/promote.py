"""From one environment to the next: ``promote``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from configclient.cli._errors import CliError, Exit
from configclient.cli._names import ENVIRONMENT, KEY, NAMESPACE
from configclient.cli._options import Terms, examples, on_plan_terms, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import compare_path, scope_path
from configclient.cli._render import difference_line
from configclient.cli._target import Service
from configclient.cli._terminal import agrees, somebody
from configclient.cli._writes import Write, show, try_out, write

# What a person may answer; the last one is for each key.
ANSWERS = ("yes", "no", "choose")


@click.command(
    "promote",
    epilog=examples(
        "configctl promote payments --from staging --to production",
        "configctl promote payments rate_limit burst --from staging --to production --note 'as tested'",
        "configctl promote payments --from staging --to production --except debug --yes",
        "configctl promote payments --from staging --to development --prune --dry-run",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("keys", type=KEY, nargs=-1)
@click.option("--from", "source", type=ENVIRONMENT, required=True, metavar="ENV", help="Where the values are.")
@click.option("--to", "env", type=ENVIRONMENT, required=True, metavar="ENV", help="Where they shall be.")
@click.option("--except", "left_out", type=KEY, multiple=True, metavar="KEY", help="Not this one; as often as needed.")
@click.option("--prune", is_flag=True, help="Also unset what has no value there.")
@on_plan_terms
@on_service
@as_output
def promote_command(
    service: Service,
    terms: Terms,
    namespace: str,
    keys: tuple[str, ...],
    source: str,
    env: str,
    left_out: tuple[str, ...],
    prune: bool,
    output: str,
) -> None:
    """Give an environment the values of another one: all of a namespace, or some KEYS.

    What would change is shown first, and you choose: all of it, nothing, or key by key. It becomes one release, or one
    request where the environment is protected. If somebody changes it meanwhile, nothing is written. Secrets are moved
    unseen; that takes the right to reveal them where they are.
    """
    if source == env:
        raise click.UsageError("--from and --to are the same environment", click.get_current_context())
    api = service.api()
    compared = api.get(compare_path(namespace, [source, env]))
    there, here = compared["envs"]
    if unknown := set(left_out) - {each["key"] for each in compared["keys"]}:
        raise CliError(f"--except: {', '.join(sorted(unknown))} is no key of {namespace}", Exit.NOT_FOUND)
    body: dict[str, Any] = {"from": source, "revision": there["revision"], "prune": prune}
    named = body | ({"keys": list(keys)} if keys else {})
    wanted = Write("POST", f"{scope_path(env, namespace)}/promote", named, f"{namespace} from {source}")
    terms = replace(terms, if_match=f'"r{here["cursor"]}"')
    asked = somebody() and not terms.yes and not terms.dry_run
    preview = None
    if asked or left_out:
        preview = try_out(api, wanted, terms)
        preview = _only(preview, {row["key"] for row in preview["diff"]} - set(left_out))
        if asked and preview["changed"]:
            preview = _only(preview, _chosen(preview, terms))
        if not preview["changed"]:
            emit(output, preview, lambda: [f"{wanted.what}  nothing to promote to {env}"])
            return
        wanted = replace(wanted, body=body | {"keys": sorted(row["key"] for row in preview["diff"])})
    write(api, wanted, terms, output, preview=preview if asked else None)


def _chosen(preview: dict[str, Any], terms: Terms) -> set[str]:
    """The keys that a person wants; raises :class:`click.Abort` where there are none."""
    show(preview)
    what = "Write" if terms.break_glass is not None or not preview["review_required"] else "Propose"
    answer = click.prompt(f"{what} this for {preview['env']}?", type=click.Choice(ANSWERS), default="no", err=True)
    every = preview["diff"] if answer != "no" else []
    chosen = {row["key"] for row in every if answer == "yes" or agrees(difference_line(row, row["namespace"]))}
    if not chosen:
        raise click.Abort
    return chosen


def _only(preview: dict[str, Any], keys: set[str]) -> dict[str, Any]:
    """The part of a dry run that is about some keys."""
    parts = {name: [each for each in preview[name] if each["key"] in keys] for name in ("changes", "diff")}
    return preview | parts | {"changed": bool(parts["changes"])}
