"""Namespaces and environments: ``namespaces``, ``envs``."""

import click

from configclient.cli import _render as render
from configclient.cli._names import ENVIRONMENT, NAMESPACE
from configclient.cli._options import Nouns, examples, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import ENVS, NAMESPACES, env_path
from configclient.cli._states import first_items
from configclient.cli._target import Service

APPROVALS = click.IntRange(1, 10)


@click.group(
    "namespaces",
    cls=Nouns,
    epilog=examples(
        "configctl namespaces list",
        "configctl namespaces create shipping --description 'What the shipping team owns'",
    ),
)
def namespaces_command() -> None:
    """List and create namespaces: who owns settings."""


@namespaces_command.command("list", epilog=examples("configctl namespaces list"))
@on_service
@as_output
def list_namespaces(service: Service, output: str) -> None:
    """Print the namespaces that you may read, newest first."""
    page = first_items(service.api(), NAMESPACES, {})
    emit(output, page, lambda: render.namespaces(page["items"]))


@namespaces_command.command(
    "create", epilog=examples("configctl namespaces create shipping --description 'What the shipping team owns'")
)
@click.argument("name", type=NAMESPACE)
@click.option("--description", default="", help="Whose it is, and what for.")
@on_service
@as_output
def create_namespace(service: Service, name: str, description: str, output: str) -> None:
    """Create a namespace. It takes an admin."""
    answer = service.api().send("POST", NAMESPACES, {"name": name, "description": description})
    emit(output, answer, lambda: [f"namespace {name} created"])


@click.group(
    "envs",
    cls=Nouns,
    epilog=examples(
        "configctl envs list",
        "configctl envs create canary --protected --approvals 2",
    ),
)
def envs_command() -> None:
    """List, create and protect environments."""


@envs_command.command("list", epilog=examples("configctl envs list"))
@on_service
@as_output
def list_envs(service: Service, output: str) -> None:
    """Print the environments, in the order of their making."""
    answer = service.api().get(ENVS)
    emit(output, answer, lambda: render.environments(answer["items"]))


@envs_command.command(
    "create", epilog=examples("configctl envs create canary --description 'A few real users' --protected")
)
@click.argument("name", type=ENVIRONMENT)
@click.option("--description", default="", help="What it is for.")
@click.option("--protected/--open", default=False, help="Whether a change takes a review.")
@click.option("--approvals", type=APPROVALS, default=1, show_default=True, help="How many have to approve.")
@on_service
@as_output
def create_env(service: Service, name: str, description: str, protected: bool, approvals: int, output: str) -> None:
    """Create an environment. It takes an admin."""
    body = {"name": name, "description": description, "review_required": protected, "approvals": approvals}
    answer = service.api().send("POST", ENVS, body)
    emit(output, answer, lambda: [f"environment {name} created"])


@envs_command.command("update", epilog=examples("configctl envs update staging --protected --approvals 2"))
@click.argument("name", type=ENVIRONMENT)
@click.option("--description", help="What it is for.")
@click.option("--protected/--open", default=None, help="Whether a change takes a review.")
@click.option("--approvals", type=APPROVALS, help="How many have to approve.")
@on_service
@as_output
def update_env(
    service: Service, name: str, description: str | None, protected: bool | None, approvals: int | None, output: str
) -> None:
    """Change what an environment is for, or how it is protected. It takes an admin."""
    wanted = {"description": description, "review_required": protected, "approvals": approvals}
    body = {field: value for field, value in wanted.items() if value is not None}
    if not body:
        raise click.UsageError("say what to change", click.get_current_context())
    answer = service.api().send("PATCH", env_path(name), body)
    emit(output, answer, lambda: render.environments([answer]))
