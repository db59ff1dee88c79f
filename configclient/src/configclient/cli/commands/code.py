"""Settings as code: ``plan`` and ``apply``, a directory of YAML as the desired state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _apply
from configclient.cli import _render as render
from configclient.cli._apply import Plan
from configclient.cli._drift import Deed, Drift, Present, compare
from configclient.cli._enact import carry_out
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import ENVIRONMENT, REQUEST
from configclient.cli._options import Terms, examples, on_plan_terms, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import NAMESPACES, config_path, keys_path
from configclient.cli._plan import Scope
from configclient.cli._requests import apply_request
from configclient.cli._states import first_items
from configclient.cli._target import Service
from configclient.cli._tree import ROOT_FILE, SUFFIX, Tree, read_tree

if TYPE_CHECKING:
    from configclient.cli._http import Api

# As terraform has it: 0 no difference, 1 a failure, 2 a difference.
DIFFERENT = 2


class PlanCommand(click.Command):
    """With ``--detailed-exitcode``, 2 means a difference and nothing else: every failure is a 1."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """What click does, with wrong usage as a 1."""
        given = args[1]
        detailed = "--detailed-exitcode" in given
        context: click.Context = _failing_with_1(lambda: super(PlanCommand, self).make_context(*args, **more), detailed)
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Likewise for all that goes wrong later."""
        return _failing_with_1(lambda: super(PlanCommand, self).invoke(ctx), ctx.params.get("detailed_exitcode"))


def _failing_with_1(do: Callable[[], Any], detailed: object) -> Any:
    try:
        return do()
    except CliError as failure:
        raise CliError(str(failure), Exit.UNAVAILABLE if detailed else failure.exit_code) from None
    except click.UsageError as error:
        if not detailed:
            raise
        raise CliError(f"{error.format_message()} See configctl plan --help", Exit.UNAVAILABLE) from None


directory = click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
only_envs = click.option(
    "--env",
    "envs",
    type=ENVIRONMENT,
    metavar="ENV",
    multiple=True,
    help="Only this one of the directory's; may be repeated.",
)
prune_option = click.option("--prune", is_flag=True, help="What is not in the directory goes, in its namespaces.")


@click.command(
    "plan",
    cls=PlanCommand,
    epilog=examples(
        "configctl plan settings/",
        "configctl plan settings/ --env production --prune",
        "configctl plan settings/ --detailed-exitcode   # 0: no difference, 2: drift, 1: anything else",
    ),
)
@directory
@only_envs
@prune_option
@click.option("--detailed-exitcode", is_flag=True, help="0: no difference, 2: some, 1: every failure.")
@on_service
@as_output
def plan_command(
    service: Service, directory: Path, envs: tuple[str, ...], prune: bool, detailed_exitcode: bool, output: str
) -> int:
    """Show what is different between a directory of YAML and the service.

    The directory is the desired state: docs/configctl.md says what is in its files. Nothing is written.
    """
    tree = read_tree(_files(directory))
    drift = _drift(service.api(), tree, _environments(tree, envs), prune)
    _show(drift, output)
    _check(drift)
    return DIFFERENT if detailed_exitcode and drift else Exit.OK


class DirectoryOrRequest(click.Path):
    """A folder, or the number of a change request; a folder of such a name is ``./12``."""

    name = "directory or request"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:  # a str for a request, a Path for a folder
        """The number as it is, or the folder's path. Raises :class:`click.BadParameter`."""
        return value if REQUEST.fits(str(value)) else super().convert(value, param, ctx)


@click.command(
    "apply",
    epilog=examples(
        "configctl apply 12 --wait                                # an approved change request",
        'configctl apply settings/ --env staging --note "$(git log -1 --format=%s)"',
        "configctl apply settings/ --env production --prune --yes --wait",
    ),
)
@click.argument(
    "wanted",
    type=DirectoryOrRequest(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY|REQUEST",
)
@only_envs
@prune_option
@click.option("--split", is_flag=True, help="Make several releases of what is too large for one.")
@on_plan_terms
@on_service
@as_output
def apply_command(
    service: Service, terms: Terms, wanted: Path | str, envs: tuple[str, ...], prune: bool, split: bool, output: str
) -> None:
    """Make the service what a directory of YAML says, or an approved change request a release.

    With a directory: one release for each environment. Shows what is different first, and asks where an environment is
    protected. Secrets are declared, and their values left alone. What is there and not in the directory stays, unless
    --prune is given.

    With the number of a request that is approved: that request's changes, as one release. It has its own note and
    environment, and nothing more to ask.
    """
    if isinstance(wanted, str):
        if envs or prune or split or terms.note:
            raise click.UsageError(
                "--env, --prune, --split and --note go with a directory, not with a request",
                click.get_current_context(),
            )
        apply_request(service.api(), wanted, terms, output)
        return
    _apply_directory(service.api(), wanted, terms, envs, prune, split, output)


def _apply_directory(
    api: Api, directory: Path, terms: Terms, envs: tuple[str, ...], prune: bool, split: bool, output: str
) -> None:
    tree = read_tree(_files(directory))
    drift = _drift(api, tree, _environments(tree, envs), prune)
    if output == "text" or terms.dry_run:
        _show(drift, output)
    _check(drift)
    plans = [Plan(env, [], steps) for env, steps in drift.steps.items() if steps]
    for each in plans:
        _apply.check_plan(each, split=split)
    if terms.dry_run:
        return
    _apply.agree(api, [each.env for each in plans], terms)
    releases = carry_out(api, drift, plans, replace(terms, yes=True))
    done = [f"{release['env']} revision {release['revision']}" for release in releases]
    emit(output, _as_dict(drift) | {"releases": releases}, lambda: done)


def _files(directory: Path) -> dict[str, str]:
    try:
        paths = [path for path in directory.iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
        return {path.name: path.read_bytes().decode("utf-8-sig") for path in paths}
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"can't read {directory}: {getattr(error, 'strerror', error)}", Exit.INVALID) from None


def _environments(tree: Tree, only: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := set(only) - set(tree.environments):
        raise CliError(f"{ROOT_FILE} does not name {', '.join(sorted(unknown))} among its environments", Exit.USAGE)
    return only or tree.environments


def _drift(api: Api, tree: Tree, envs: Sequence[str], prune: bool) -> Drift:
    there = {each["name"] for each in first_items(api, NAMESPACES, {})["items"]}
    present = {name: _present(api, name, envs) if name in there else _absent(name, envs) for name in tree.namespaces}
    return compare(tree, present, envs, prune=prune)


def _present(api: Api, namespace: str, envs: Sequence[str]) -> Present:
    keys = {key["key"]: key for key in first_items(api, keys_path(namespace), {})["items"]}
    answers = {env: api.get(config_path(env, namespace)) for env in envs}
    scopes = {env: Scope(namespace, each["cursor"], keys, each["values"]) for env, each in answers.items()}
    return Present(True, keys, scopes)


def _absent(namespace: str, envs: Sequence[str]) -> Present:
    return Present(False, {}, {env: Scope(namespace) for env in envs})


def _check(drift: Drift) -> None:
    """Raises :class:`CliError` where what is there contradicts the tree."""
    conflicts = [each for each in drift.declarations if each.deed is Deed.CONFLICT]
    if conflicts:
        named = render.some([f"{each.namespace}/{each.key} {each.reason}" for each in conflicts])
        raise CliError(f"nothing was written: {named}", Exit.CONFLICT)


def _as_dict(drift: Drift) -> dict[str, Any]:
    extra = [{"namespace": name, "key": key} | ({"env": env} if env else {}) for name, key, env in drift.extra]
    return {
        "declarations": [each.as_dict() for each in drift.declarations],
        "environments": {env: [step.as_dict() for step in steps] for env, steps in drift.steps.items()},
        "extra": extra,
    }


def _show(drift: Drift, output: str) -> None:
    emit(output, _as_dict(drift), lambda: _lines(drift))
    if output != "text":
        return
    if drift.extra:
        names = [f"{name}/{key}{f' in {env}' if env else ''}" for name, key, env in drift.extra]
        click.echo(f"not in the directory, and left alone without --prune: {render.some(names)}", err=True)
    if not drift:
        click.echo("no difference", err=True)


def _lines(drift: Drift) -> list[str]:
    declarations = [render.declaration(each) for each in drift.declarations]
    return declarations + [render.step(step, env) for env, steps in drift.steps.items() for step in steps]
