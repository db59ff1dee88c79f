"""Declared keys: ``keys``."""

from typing import IO, Any

import click

from configclient.cli import _render as render
from configclient.cli._errors import CliError
from configclient.cli._names import KEY, NAMESPACE
from configclient.cli._options import break_glass_option, examples, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import env_of_request_url, key_path, keys_path
from configclient.cli._requests import propose
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
        "configctl keys create payments db.password --type string --secret",
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
@click.option("--secret/--plain", "secret", default=None, help="Keep its values encrypted from now on, or readable.")
@click.option("-y", "--yes", is_flag=True, help="Propose another schema, where it takes a review.")
@break_glass_option
@on_service
@as_output
def update_key(
    service: Service,
    namespace: str,
    key: str,
    description: str | None,
    schema: Any,
    no_schema: bool,
    secret: bool | None,
    yes: bool,
    break_glass: str | None,
    output: str,
) -> None:
    """Change a key's description or schema, or whether it is a secret.

    The schema of a key that has a value in a protected environment takes a review. Making a key secret leaves what it
    was before readable in the history.
    """
    body: dict[str, Any] = {} if description is None else {"description": description}
    if schema is not None or no_schema:
        body["schema"] = schema
    if secret is not None:
        body["secret"] = secret
    if not body or (schema is not None and no_schema):
        raise click.UsageError(
            "say what to change: --description, --schema-file or --no-schema, --secret or --plain",
            click.get_current_context(),
        )
    if break_glass is not None:
        body["break_glass"] = {"reason": break_glass}
    api = service.api()
    try:
        answer = api.send("PATCH", key_path(namespace, key), body)
    except CliError as failure:
        if not (yes and failure.request_url and body.keys() == {"schema"}):
            raise
        change = {"namespace": namespace, "key": key, "schema": schema}
        answer = propose(api, env_of_request_url(failure.request_url), [change], "")
        emit(output, answer, lambda: [f"{namespace}/{key}  schema  {answer['env']} request {answer['id']}"])
        return
    emit(output, answer, lambda: render.fields({name: each for name, each in answer.items() if name != "warning"}))
    if output == "text" and answer.get("warning"):
        click.echo(answer["warning"], err=True)


@keys_command.command("delete", epilog=examples("configctl keys delete payments burst"))
@click.argument("namespace", type=NAMESPACE)
@click.argument("key", type=KEY)
@on_service
def delete_key(service: Service, namespace: str, key: str) -> None:
    """Delete a key that has no value in any environment. Its history stays."""
    service.api().send("DELETE", key_path(namespace, key), None)
    click.echo(f"{namespace}/{key} deleted")
