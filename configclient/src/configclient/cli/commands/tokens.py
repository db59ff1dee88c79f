"""Who may come in, and what they may do: ``tokens``, ``grants``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from configclient.cli import _render_access as render
from configclient.cli._errors import CliError, Exit
from configclient.cli._moments import EXAMPLES, local, parse_expiry
from configclient.cli._names import ENVIRONMENT
from configclient.cli._options import Command, examples, on_service
from configclient.cli._output import as_output, emit
from configclient.cli._paths import GRANTS, TOKENS, grant_path, token_path
from configclient.cli._states import first_items
from configclient.cli._target import Service
from configclient.cli._terminal import ask, somebody

if TYPE_CHECKING:
    from configclient.cli._http import Api

ROLES = ("viewer", "developer", "ops", "admin", "service")


def _expiry(value: str) -> datetime:
    try:
        return parse_expiry(value, datetime.now(UTC))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{value!r} is neither a span like 90d, 12h or 4w nor a time like {EXAMPLES}"
        ) from None


def _grant_options(command: Command) -> Command:
    role = click.option("--role", type=click.Choice(ROLES), required=True, help="What it may do: docs/access.md.")
    namespaces = click.option(
        "--namespaces", default="*", show_default=True, metavar="PATTERN", help="Where: payments, or all of pay*."
    )
    envs = click.option(
        "--env", "envs", type=ENVIRONMENT, metavar="ENV", multiple=True, help="In which; may be repeated. All of them."
    )
    return role(namespaces(envs(command)))


@click.group("tokens")
def tokens_command() -> None:
    """List, make and revoke tokens. It takes an admin."""


@tokens_command.command("list", epilog=examples("configctl tokens list"))
@on_service
@as_output
def list_tokens(service: Service, output: str) -> None:
    """Print the living tokens with what they may do and when they were used, newest first."""
    page = first_items(service.api(), TOKENS, {})
    emit(output, page, lambda: render.tokens(page["items"]))


@tokens_command.command(
    "create",
    epilog=examples(
        "configctl tokens create checkout --role service --namespaces payments --env production --expires 90d",
        "configctl tokens create anna --role developer > anna.token",
        "configctl tokens create ci --role developer --env staging -o json | jq -r .token | vault kv put … token=-",
    ),
)
@click.argument("name")
@_grant_options
@click.option("--expires", type=_expiry, metavar="WHEN", help="In 90d, 12h or 4w, or at a time. Never.")
@on_service
@as_output
def create_token(
    service: Service,
    name: str,
    role: str,
    namespaces: str,
    envs: tuple[str, ...],
    expires: datetime | None,
    output: str,
) -> None:
    """Make a token, and print it: this once, it is kept nowhere.

    It counts as you where nobody may approve their own; people who review each other get theirs from `configsvc token
    create`. `grants add` lets it do more. To replace one: make another, use that, and revoke the first.
    """
    grant = {"role": role, "namespaces": namespaces, "envs": list(envs) or None}
    body = {"name": name, "grants": [grant], "expires_at": expires and expires.isoformat()}
    answer = service.api().send("POST", TOKENS, body)
    if output == "text":
        end = "does not expire" if expires is None else f"expires {local(expires)}"
        click.echo(f"token {answer['id']} of {name}: {render.grant(grant)}; {end}. It is shown only now:", err=True)
    emit(output, answer, lambda: [answer["token"]])


@tokens_command.command(
    "revoke", epilog=examples("configctl tokens revoke 0a1b2c3d4e5f", "configctl tokens revoke anna")
)
@click.argument("token", metavar="TOKEN|NAME")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@on_service
def revoke_token(service: Service, token: str, yes: bool) -> None:
    """End a token: at once for writes, within seconds for reads.

    TOKEN is its id (the part after cfg_), never the whole of it.
    """
    api = service.api()
    found = _found(api, token)
    may = ", ".join(map(render.grant, found["grants"])) or "nothing"
    if somebody() and not yes:
        ask(f"Revoke token {found['id']} of {found['name']} ({may})?")
    api.send("DELETE", token_path(found["id"]), None)
    click.echo(f"token {found['id']} of {found['name']} revoked")


@click.group("grants")
def grants_command() -> None:
    """List, add and remove what tokens may do. It takes an admin."""


@grants_command.command("list", epilog=examples("configctl grants list", "configctl grants list --token anna"))
@click.option("--token", metavar="TOKEN|NAME", help="Only those of this one.")
@on_service
@as_output
def list_grants(service: Service, token: str | None, output: str) -> None:
    """Print the grants of living tokens, newest first."""
    api = service.api()
    page = first_items(api, GRANTS, {"token_id": None if token is None else _found(api, token)["id"]})
    emit(output, page, lambda: render.grants(page["items"]))


@grants_command.command(
    "add", epilog=examples("configctl grants add anna --role ops --namespaces payments --env production")
)
@click.argument("token", metavar="TOKEN|NAME")
@_grant_options
@on_service
@as_output
def add_grant(service: Service, token: str, role: str, namespaces: str, envs: tuple[str, ...], output: str) -> None:
    """Let a token do more."""
    api = service.api()
    found = _found(api, token)
    body = {"token_id": found["id"], "role": role, "namespaces": namespaces, "envs": list(envs) or None}
    answer = api.send("POST", GRANTS, body)
    emit(output, answer, lambda: [f"grant {answer['id']}: {found['name']} is {render.grant(body)}"])


@grants_command.command("remove", epilog=examples("configctl grants remove 7"))
@click.argument("grant", type=click.IntRange(min=1))
@on_service
def remove_grant(service: Service, grant: int) -> None:
    """Take a grant back, by its number; see `grants list`."""
    service.api().send("DELETE", grant_path(grant), None)
    click.echo(f"grant {grant} removed")


def _found(api: Api, token: str) -> dict[str, Any]:
    """The living token of this id or name. Raises :class:`CliError`; it does not repeat what may be a whole token."""
    if token.startswith("cfg_"):
        raise CliError("never give a whole token: its id is the part between cfg_ and the next _", Exit.USAGE)
    for each in first_items(api, TOKENS, {})["items"]:
        if token in (each["id"], each["name"]):
            found: dict[str, Any] = each
            return found
    raise CliError(f"there is no living token {token}; see `tokens list`", Exit.NOT_FOUND)
