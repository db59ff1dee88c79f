"""Declared keys: ``keys``."""

from typing import IO, Any

import click

from configclient.cli import _render as render
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import examples, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import key_path, keys_path
from configclient.cli._states import first_items
from configclient.cli._target import Service
from configclient.cli._values import TYPES, parse


@click.group("keys")
def keys_command() -> None:
    """List, declare, describe, change and delete keys: what a namespace's settings are."""


@keys_command.command("list", epilog=examples("configctl keys list payments"))
@click.argument("namespace", type=NAMESPACE)
@on_service
@as_output
def list_keys(service: Service, namespace: str, output: str) -> None:
    """Print a namespace's declared keys, newest first."""
    page = first_items(service.api(), keys_path(namespace), {})
    emit(output, page, lambda: render.keys(page["items"]))


@keys_command.command("describe", epilog=examples("configctl keys describe payments rate_limit -o yaml"))
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_service
@as_output
def describe_key(service: Service, namespace: str, key: str, output: str) -> None:
    """Print all about one key: type, description, schema, who declared it and when."""
    answer = service.api().get(key_path(namespace, key))
    emit(output, answer, lambda: render.fields(answer))


def _schema(_: click.Context, __: click.Parameter, file: IO[str] | None) -> Any:
    return None if file is None else parse(file.read(), "json")


schema_option = click.option(
    "--schema-file",
    "schema",
    type=click.File(encoding="utf-8"),
    callback=_schema,
    help="JSON Schema 2020-12 that its values fit (- is standard input).",
)


@keys_command.command(
    "create",
    epilog=examples(
        "configctl keys create payments burst --type int --description 'Requests at once'",
        "echo '{\"minimum\": 1}' | configctl keys create payments burst --type int --schema-file -",
    ),
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.option("--type", "type_", type=click.Choice(TYPES), required=True, help="It never changes.")
@click.option("--description", default="", help="What it means, and in which unit.")
@click.option("--secret", is_flag=True, help="Its values are kept encrypted.")
@schema_option
@on_service
@as_output
def create_key(
    service: Service, namespace: str, key: str, type_: str, description: str, secret: bool, schema: Any, output: str
) -> None:
    """Declare a key, without a value yet."""
    body = {"key": key, "type": type_, "description": description, "secret": secret, "schema": schema}
    answer = service.api().send("POST", keys_path(namespace), body)
    emit(output, answer, lambda: [f"{namespace}/{key} declared as {type_}"])


@keys_command.command(
    "update", epilog=examples("configctl keys update payments burst --description 'Requests at once'")
)
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@click.option("--description", help="What it means, and in which unit.")
@schema_option
@click.option("--no-schema", is_flag=True, help="Take the schema away.")
@on_service
@as_output
def update_key(
    service: Service, namespace: str, key: str, description: str | None, schema: Any, no_schema: bool, output: str
) -> None:
    """Change a key's description or schema."""
    body = {} if description is None else {"description": description}
    if schema is not None or no_schema:
        body["schema"] = schema
    if not body or (schema is not None and no_schema):
        raise click.UsageError(
            "say what to change: --description, --schema-file or --no-schema", click.get_current_context()
        )
    answer = service.api().send("PATCH", key_path(namespace, key), body)
    emit(output, answer, lambda: render.fields(answer))


@keys_command.command("delete", epilog=examples("configctl keys delete payments burst"))
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_service
def delete_key(service: Service, namespace: str, key: str) -> None:
    """Delete a key that has no value in any environment. Its history stays."""
    service.api().send("DELETE", key_path(namespace, key), None)
    click.echo(f"{namespace}/{key} deleted")
