"""Settings from files and to files: ``import`` and ``export``."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render as render
from configclient.cli import formats
from configclient.cli._apply import Plan, apply, check_plan, plan_lines, read_scope, summary, try_out
from configclient.cli._errors import CliError, Exit
from configclient.cli._names import NAMESPACE
from configclient.cli._options import Moment, Terms, examples, on_plan_terms, on_target, state
from configclient.cli._output import as_output, emit
from configclient.cli._plan import Kind, Step, flatten, plan
from configclient.cli._states import scope_at
from configclient.cli._target import Target

if TYPE_CHECKING:
    from configclient.cli._http import Api

# As much as a scope holds; nobody imports more.
FILE_BYTES_MAX = 16 * 1024 * 1024
# What people call secrets; a new key of such a name that is none gets a warning.
SECRET_NAME = re.compile(r"passw|secret|token|credential|api[._-]?key|private[._-]?key", re.IGNORECASE)

format_names = click.Choice(list(formats.SUFFIXES))


@click.command(
    "import",
    epilog=examples(
        "configctl import settings.yaml --namespace payments --env staging --dry-run",
        "configctl import .env --namespace checkout --env development --secret '*_PASSWORD' --secret API_KEY",
        "configctl import all.json --by-namespace --env staging --note 'from the old system'",
        "kubectl get cm x -o json | jq .data | configctl import - --format json --namespace x --env staging",
    ),
)
@click.argument("file", type=click.File("rb"))
@click.option("--namespace", type=NAMESPACE, help="Where the values go.")
@click.option("--by-namespace", is_flag=True, help="The names at the file's top are namespaces (json, yaml, toml).")
@click.option("--format", "format_name", type=format_names, help="What the file is, if its name does not tell.")
@click.option("--nested", is_flag=True, help="Keep a map as one json value, instead of one key for each of its parts.")
@click.option("--strings", is_flag=True, help="New keys of env, properties and ini files are all strings.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="PATTERN", help="Keys that are secrets: db.*; may be repeated."
)
@click.option("--split", is_flag=True, help="Make several releases of what is too large for one.")
@on_plan_terms
@on_target
@as_output
def import_command(
    target: Target,
    terms: Terms,
    file: io.BufferedReader,
    namespace: str | None,
    by_namespace: bool,
    format_name: str | None,
    nested: bool,
    strings: bool,
    secrets: tuple[str, ...],
    split: bool,
    output: str,
) -> None:
    """Set what a file holds, as one release; its new keys are declared.

    Reads json, yaml, toml, env, properties and ini. A map becomes a key for each of its parts, with dots between the
    names (a.b.c), unless it is empty, or a key of its name is declared as json. A declared key's type decides how its
    value is read. A new key has the type of its value in json, yaml and toml. In the other files all is text: what is
    true, false, a number, a list or a map in JSON is that, and all else a string (007, yes, null). What the file does
    not name stays as it is, so the same file again changes nothing. Secrets are set where --secret names them, and
    declared as such where they are new; as nobody can tell whether they are the same, they are set each time.
    """
    if (namespace is None) == (not by_namespace):
        raise click.UsageError("give either --namespace or --by-namespace", click.get_current_context())
    format_, documents = _documents(file, format_name, namespace)
    api = target.api()
    wanted = Plan(target.env, [], [])
    patterns = _Patterns(secrets)
    for name, document in documents.items():
        scope = read_scope(api, target.env, name)
        values = flatten(document, scope, nested=nested)
        steps = plan(scope, values, typed=format_.TYPED, strings=strings, secret=patterns.fit)
        wanted = Plan(target.env, [*wanted.scopes, scope], [*wanted.steps, *steps])
    patterns.check()
    _carry_out(api, wanted, replace(terms, note=terms.note or f"import of {_name(file)}"), split, output)


class _Patterns:
    """What ``--secret`` names."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._unused = set(patterns)
        self._patterns = patterns

    def fit(self, key: str) -> bool:
        """Tells whether a key is a secret."""
        found = {pattern for pattern in self._patterns if fnmatchcase(key, pattern)}
        self._unused -= found
        return bool(found)

    def check(self) -> None:
        """Raises :class:`CliError` where one fits nothing: a slip would leave a secret readable."""
        if self._unused:
            raise CliError(f"nothing in the file is named {' or '.join(sorted(self._unused))} (--secret)", Exit.USAGE)


def _carry_out(api: Api, wanted: Plan, terms: Terms, split: bool, output: str) -> None:
    if output == "text":
        conflicts = [step for step in wanted.steps if step.kind is Kind.CONFLICT]
        # Among thousands of lines, nobody would find what is in the way.
        emit(output, None, lambda: plan_lines(conflicts or wanted.steps))
        click.echo(summary(wanted.steps), err=True)
        if not conflicts and (
            readable := [step.key for step in wanted.steps if step.kind is Kind.NEW and _sounds_secret(step)]
        ):
            click.echo(f"everybody who may read could read {render.some(readable)}; --secret keeps secrets", err=True)
    check_plan(wanted, split=split)
    releases: list[dict[str, Any]] = []
    if terms.dry_run:
        try_out(api, wanted, terms)
    else:
        releases = apply(api, wanted, terms)
    done = [f"{release['env']} revision {release['revision']}" for release in releases]
    emit(output, {"steps": [step.as_dict() for step in wanted.steps], "releases": releases}, lambda: done)


def _sounds_secret(step: Step) -> bool:
    return not step.secret and step.type == "string" and SECRET_NAME.search(step.key) is not None


def _documents(
    file: io.BufferedReader, format_name: str | None, namespace: str | None
) -> tuple[formats.Format, Mapping[str, Mapping[str, Any]]]:
    """The format of a file, and what it says by namespace. Raises :class:`CliError`."""
    name = format_name or formats.of_file(_name(file))
    if name is None:
        raise CliError(f"which format is {_name(file)}? give --format {'|'.join(formats.SUFFIXES)}", Exit.USAGE)
    format_ = formats.named(name)
    if namespace is None and not format_.TYPED:
        raise CliError(f"{name} files have no maps: give --namespace", Exit.USAGE)
    try:
        content = format_.read(_text(file, name))
    except ValueError as error:
        raise CliError(f"{_name(file)} is no {name} file to import: {error}", Exit.INVALID) from None
    if namespace is not None:
        return format_, {namespace: content}
    for each, document in content.items():
        if not NAMESPACE.fits(each) or not isinstance(document, dict):
            raise CliError(f"{each!r} at the top of {_name(file)} is no namespace with a map of settings", Exit.INVALID)
    return format_, content


def _text(file: io.BufferedReader, format_name: str) -> str:
    data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ValueError(f"it is larger than {FILE_BYTES_MAX} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if format_name == "properties":
            return data.decode("latin-1")  # as Java does
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8: convert it first, as with iconv -t utf-8") from None


def _name(file: io.BufferedReader) -> str:
    name = str(getattr(file, "name", "<stdin>"))
    return "standard input" if name in ("<stdin>", "-") else Path(name).name


@click.command(
    "export",
    epilog=examples(
        "configctl export payments --env production > payments.yaml",
        "configctl export checkout --env development --format env > .env",
        "configctl export payments search --env production --format json --at 2026-11-17",
    ),
)
@click.argument("namespaces", type=NAMESPACE, nargs=-1, required=True)
@click.option("--format", "format_name", type=format_names, default="yaml", show_default=True, help="What to write.")
@state("moment", "--revision", "--at", "As they were at this revision.")
@on_target
def export_command(target: Target, namespaces: tuple[str, ...], format_name: str, moment: Moment | None) -> None:
    """Print a namespace's values as a file that `import` reads without changing anything.

    Several namespaces make one file of maps by namespace, for `import --by-namespace`. Secrets are left out, and named.
    """
    format_ = formats.named(format_name)
    if len(namespaces) > 1 and not format_.TYPED:
        raise click.UsageError(f"{format_name} files hold one namespace", click.get_current_context())
    api = target.api()
    documents = {}
    for namespace in dict.fromkeys(namespaces):
        values = scope_at(api, target.env, namespace, moment)["values"]
        documents[namespace] = {key: values[key]["value"] for key in sorted(values) if "value" in values[key]}
        if secret := [f"{namespace}/{key}" for key in sorted(values) if "value" not in values[key]]:
            click.echo(f"left out, as secrets: {', '.join(secret)}", err=True)
    try:
        text = format_.write(documents if len(namespaces) > 1 else documents[namespaces[0]])
    except ValueError as error:
        raise CliError(f"this can't be written as {format_name}: {error}", Exit.INVALID) from None
    click.echo(text, nl=False)
