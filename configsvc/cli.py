"""The command line of the service. Imports late, so that each command loads only what it needs."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

import contextlib
import getpass
import logging
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from configsvc import __version__, logs
from configsvc.domain.policy import ROLES
from configsvc.errors import SetupError, Unavailable

if TYPE_CHECKING:
    from configsvc.service.rotation import Rotation

#: Of the command: what `configsvc dev` measures from.
_BEGAN_AT = time.monotonic()
_FILE = click.Path(path_type=Path, dir_okay=False)
_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"])
_FOLDER = click.Path(path_type=Path, readable=False)


class _OneLineErrors(click.Group):
    """What the operator has to change is said in one line, without a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (SetupError, Unavailable) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="configsvc")
def main() -> None:
    """configsvc: versioned settings, live in running applications within a second.

    \b
    Examples:
      configsvc dev                     everything on this machine, to try and to develop
      configsvc migrate                 bring CONFIGSVC_DATABASE_URL's schema up to date
      configsvc serve                   the API and the relay, in production

    All settings are CONFIGSVC_* variables: docs/operations.md lists them.
    """


@main.command()
@click.option("--data-dir", type=_FOLDER, default=Path(".dev"), show_default=True, help="Where everything is kept.")
@click.option("--port", type=click.IntRange(0, 65535), default=8400, show_default=True, help="Of the API; 0: any free.")
@click.option("--ready-file", type=_FILE, help="Written (JSON) when all parts answer, removed at the end.")
def dev(data_dir: Path, port: int, ready_file: Path | None) -> None:
    """Run everything here: Postgres, Valkey, the API and the relay, with sample tokens.

    \b
    Examples:
      configsvc dev
      configsvc dev --data-dir /tmp/try --port 0 --ready-file /tmp/ready.json
    """
    from configsvc.dev.foreground import run_until_stopped
    from configsvc.dev.stack import Stack
    from configsvc.dev.welcome import ready_text
    from configsvc.service import accounts

    stack = Stack(data_dir, port, ready_file=ready_file)

    def welcome() -> None:
        seconds = time.monotonic() - _BEGAN_AT
        link = accounts.link(stack.database_url, "admin", actor="configsvc dev")
        click.echo(ready_text(data_dir, stack.url, seconds, link), nl=False)

    run_until_stopped(stack, welcome)


@main.command()
def serve() -> None:
    """Run the API and one relay against the databases that CONFIGSVC_* names.

    \b
    Example:
      export CONFIGSVC_DATABASE_URL=postgresql://configsvc_service:…@db/configsvc
      export CONFIGSVC_REDIS_URL=redis://configsvc:…@redis:6379/0
      export CONFIGSVC_SIGNING_KEY_FILE=/etc/configsvc/signing-key.pem
      configsvc serve
    """
    from configsvc.dev.foreground import run_until_stopped
    from configsvc.serve import Serve
    from configsvc.settings import Settings

    settings = Settings.from_environ()
    logs.configure(settings.log_level, settings.log_format)
    log = logging.getLogger("configsvc.serve")
    run_until_stopped(
        Serve(settings, log.warning),
        lambda: log.info("configsvc %s serves on %s:%d", __version__, settings.host, settings.port),
    )


@main.command()
def relay() -> None:
    """Run one relay, which publishes releases to Redis. Several may run: one leads, the others wait.

    \b
    Example:
      configsvc relay                   beside `configsvc serve`, on another machine
    """
    import signal
    import threading

    from configsvc.delivery import relay as relay_loop
    from configsvc.settings import Settings

    settings = Settings.from_environ()
    logs.configure(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    relay_loop.run(settings, stop)


@main.command("redis-accounts")
def redis_accounts() -> None:
    """Print the clients' accounts, one per environment, as lines of Redis' ACL file. They hold no password.

    For servers whose accounts you set up yourself: the relay does it where CONFIGSVC_REDIS_ADMIN_URL is set.

    \b
    Example:
      configsvc redis-accounts >> users.acl
    """
    from configsvc.delivery.accounts import acl_file
    from configsvc.settings import Settings

    for line in acl_file(Settings.from_environ()):
        click.echo(line)


@main.command()
def migrate() -> None:
    """Bring the database's schema up to date; prints the migrations applied now.

    Takes CONFIGSVC_MIGRATE_DATABASE_URL (a role that may create roles), else CONFIGSVC_DATABASE_URL.

    \b
    Example:
      CONFIGSVC_MIGRATE_DATABASE_URL=postgresql://postgres:…@db/configsvc configsvc migrate
    """
    from configsvc.settings import read_database_url
    from configsvc.store import migrate as migrations

    applied = migrations.migrate(read_database_url(for_migrations=True))
    for name in applied:
        click.echo(name)
    click.echo(f"{len(applied)} applied" if applied else "up to date", err=True)


@main.group()
def token() -> None:
    """Make tokens, where no token exists yet to make them over HTTP."""


@token.command("create")
@click.option("--name", required=True, help="Who or what will use it.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--namespaces", default="*", show_default=True, help="A namespace, or a pattern such as 'pay*'.")
@click.option("--env", "envs", multiple=True, help="An environment, several times for several; without it, every one.")
@click.option("--days", type=click.IntRange(1, 36_500), help="When it runs out; without it, never.")
def token_create(name: str, role: str, namespaces: str, envs: tuple[str, ...], days: int | None) -> None:
    """Make a token and print it, once, on standard output. It counts as a person of its own: docs/reviews.md.

    \b
    Examples:
      configsvc token create --name root --role admin
      configsvc token create --name checkout --role service --namespaces payments --env production --days 90
    """
    from configsvc.service import tokens
    from configsvc.service.tokens import Wanted
    from configsvc.settings import read_database_url
    from configsvc.store.access import NewGrant

    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    wanted = Wanted(name, [NewGrant(role, namespaces, envs or None)], expires_at)
    made = tokens.create(read_database_url(), wanted, actor=_operator())
    where = ", ".join(envs) or "every environment"
    click.echo(f"token for {name}: {role} on {namespaces} in {where}. It is shown only now:", err=True)
    click.echo(made)


@main.group()
def account() -> None:
    """Accounts of people who sign in to the pages under /ui, and links that sign in once."""


@account.command("create")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--namespaces", default="*", show_default=True, help="A namespace, or a pattern such as 'pay*'.")
@click.option("--env", "envs", multiple=True, help="An environment, several times for several; without it, every one.")
def account_create(name: str, role: str, namespaces: str, envs: tuple[str, ...]) -> None:
    """Make an account; it asks for its password, or takes it from standard input. It counts as a person of its own.

    \b
    Examples:
      configsvc account create ada --role admin
      configsvc account create bob --role developer --namespaces 'pay*' < password.txt
    """
    from configsvc.service import accounts
    from configsvc.service.tokens import Wanted
    from configsvc.settings import read_database_url
    from configsvc.store.access import NewGrant

    wanted = Wanted(name, [NewGrant(role, namespaces, envs or None)])
    accounts.create(read_database_url(), wanted, _new_password(), actor=_operator())
    click.echo(f"{name} can sign in at /ui", err=True)


@account.command("password")
@click.argument("name")
def account_password(name: str) -> None:
    """Give an account another password, and end its sessions.

    \b
    Example:
      configsvc account password ada
    """
    from configsvc.service import accounts
    from configsvc.settings import read_database_url

    accounts.change_password(read_database_url(), name, _new_password(), actor=_operator())
    click.echo(f"{name} has another password, and no session", err=True)


@account.command("link")
@click.argument("name")
def account_link(name: str) -> None:
    """Print the path of a page that signs one browser in as an account or token, once, within the hour.

    For whoever has lost a password, and for tokens. Whoever has the link can use it: send it as you would a password.

    \b
    Example:
      configsvc account link ada
    """
    from configsvc.service import accounts
    from configsvc.settings import read_database_url

    click.echo(accounts.link(read_database_url(), name, actor=_operator()))


@account.command("readmit")
@click.argument("name")
def account_readmit(name: str) -> None:
    """Let somebody who signs in by OpenID Connect, and was revoked here, begin anew.

    \b
    Example:
      configsvc account readmit ada@example.com
    """
    from configsvc.service import people
    from configsvc.settings import read_database_url

    people.readmit(read_database_url(), name, actor=_operator())
    click.echo(f"{name} begins anew with their next sign-in", err=True)


def _new_password() -> str:
    """Ask for it twice at a terminal; else take the first line of standard input. Others see arguments."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _operator() -> str:
    return f"operator:{getpass.getuser()}"


@main.group()
def keys() -> None:
    """Make and look after the service's keys."""


@keys.command("new-signing-key")
@click.argument("file", type=_FILE)
def new_signing_key(file: Path) -> None:
    """Write a new key for signing push messages to FILE (readable by its owner alone); never overwrites one.

    \b
    Example:
      configsvc keys new-signing-key /etc/configsvc/signing-key.pem
    """
    from configsvc.crypto import signing

    signing.generate(file)
    click.echo(f"wrote {file}; name it in CONFIGSVC_SIGNING_KEY_FILE", err=True)


@main.group()
def audit() -> None:
    """Check the record of who did what, and take copies of it."""


@audit.command("verify")
@click.option("--head", type=click.File("rb"), help="What `configsvc audit head` printed before; - is standard input.")
def audit_verify(head: BinaryIO | None) -> None:
    """Compute every chain anew, and name the first broken row of each. Exit code 1 if there is one.

    \b
    Examples:
      configsvc audit verify
      configsvc audit verify --head /mnt/elsewhere/head.json
    """
    from configsvc.service import verification
    from configsvc.settings import read_database_url

    kept = verification.read_head(head.read()) if head else None
    intact = True
    for findings in verification.verify(read_database_url(), kept):
        intact = intact and findings.intact
        for line in findings.lines:
            click.echo(line)
    if not intact:
        raise click.exceptions.Exit(1)


@audit.command("head")
def audit_head() -> None:
    """Print where every chain ends, to be kept where nobody who can write the database can.

    \b
    Example:
      configsvc audit head > /mnt/elsewhere/head.json
    """
    from configsvc.service import verification
    from configsvc.settings import read_database_url

    click.echo(verification.head(read_database_url()).model_dump_json())


@audit.command("export")
@click.option("--since", type=_MOMENT, help="The first moment.")
@click.option("--until", type=_MOMENT, help="The first moment after it.")
@click.option("--env", "envs", multiple=True, help="Only what is about it; several times for several.")
def audit_export(since: datetime | None, until: datetime | None, envs: tuple[str, ...]) -> None:
    """Print audit events as JSON, one a line, oldest first, each with its hash.

    \b
    Examples:
      configsvc audit export > audit.jsonl
      configsvc audit export --since 2026-11-01 --until 2026-12-01 --env production
    """
    from configsvc.service import verification
    from configsvc.settings import read_database_url

    out = sys.stdout.buffer
    for line in verification.export(read_database_url(), envs, _in_utc(since), _in_utc(until)):
        out.write(line.encode() + b"\n")
    out.flush()


def _in_utc(moment: datetime | None) -> datetime | None:
    """A moment that is written without its zone is meant in UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


@keys.command("init")
@click.argument("file", type=_FILE)
def init_keys(file: Path) -> None:
    """Write a key file for encrypting secrets to FILE (readable by its owner alone); never overwrites one.

    Keep a copy where the database's backups are not: without this file no secret can be read again.

    \b
    Example:
      configsvc keys init /etc/configsvc/keys.json
    """
    from configsvc.crypto.providers import local

    kek_id = local.create(file)
    click.echo(f"wrote {file} with the key {kek_id}; set CONFIGSVC_KEYS=file:{file.absolute()}", err=True)


@keys.command("add")
@click.argument("file", type=_FILE)
def add_key(file: Path) -> None:
    """Add a new key to the key file FILE. It encrypts from now on; the older ones stay for what they encrypted.

    Running services notice it by themselves. Where each machine has a copy of FILE, bring all up to date at once.

    \b
    Example:
      configsvc keys add /etc/configsvc/keys.json
    """
    from configsvc.crypto.providers import local

    click.echo(f"{file} encrypts with the key {local.add_generation(file)} from now on", err=True)


@keys.command("status")
def keys_status() -> None:
    """Print which data keys are in use, under which key-encryption key, and how many secrets are under each.

    \b
    Example:
      configsvc keys status
    """
    with _rotation() as rotation:
        found = rotation.status()
    rows = [
        (
            under.key.namespace,
            under.key.env,
            under.key.purpose,
            str(under.key.id),
            "retired" if under.retired else "present",
            f"{under.key.kek_id}{'' if under.current else ' (not the present one)'}",
            str(under.secrets) if under.key.purpose == "secret" else "-",
        )
        for under in found
    ]
    for line in _table(("NAMESPACE", "ENV", "PURPOSE", "DATA KEY", "STATE", "WRAPPED BY", "SECRETS"), rows):
        click.echo(line)


@keys.command("rewrap")
def keys_rewrap() -> None:
    """Wrap all data keys with the keeper's present key; no secret is touched.

    After it the older keys, and the keeper that CONFIGSVC_OTHER_KEYS names, are needed for backups alone.

    \b
    Example:
      configsvc keys add /etc/configsvc/keys.json; configsvc keys rewrap
    """
    with _rotation() as rotation:
        done = rotation.rewrap()
    click.echo(f"{done.keys} data keys are wrapped anew", err=True)
    _report_faults(done.faults)


@keys.command("rotate-data-keys")
@click.option("--namespace", help="Of this namespace alone.")
@click.option("--env", help="In this environment alone.")
def keys_rotate(namespace: str | None, env: str | None) -> None:
    """Make new data keys and encrypt all secrets anew, in batches, while everything runs.

    May be killed at any time: the next run finishes what this one began, before another rotation can begin.

    \b
    Examples:
      configsvc keys rotate-data-keys
      configsvc keys rotate-data-keys --namespace payments --env production
    """
    with _rotation() as rotation:
        done = rotation.rotate(namespace, env, lambda values: click.echo(f"{values} secrets so far", err=True))
    what = "finished the rotation that was interrupted" if done.resumed else f"{done.keys} new data keys"
    click.echo(f"{what}; {done.values} secrets are encrypted anew", err=True)
    _report_faults(done.faults)


@contextlib.contextmanager
def _rotation() -> Iterator["Rotation"]:
    from configsvc.crypto.datakeys import DataKeys
    from configsvc.crypto.providers import open_provider
    from configsvc.service.rotation import Rotation
    from configsvc.settings import read_database_url, read_keys
    from configsvc.store.audit import Origin
    from configsvc.store.database import Database

    data_keys = DataKeys(open_provider(*read_keys()))
    with contextlib.closing(Database(read_database_url())) as database:
        yield Rotation(database, data_keys, Origin(_operator(), "", ""))


def _report_faults(faults: Collection[str]) -> None:
    for fault in sorted(faults):
        click.echo(fault, err=True)
    if faults:
        raise click.ClickException(f"{len(faults)} could not be done, and stay as they are")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)
    ]
