"""The service's keys: for signing messages, and for encrypting secrets."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

import contextlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from configsvc.cli.common import FILE, operator

if TYPE_CHECKING:
    from configsvc.service.rotation import Rotation


@click.group()
def keys() -> None:
    """Make and look after the service's keys."""


@keys.command("new-signing-key")
@click.argument("file", type=FILE)
def new_signing_key(file: Path) -> None:
    """Write a new key for signing push messages to FILE (readable by its owner alone); never overwrites one.

    \b
    Example:
      configsvc keys new-signing-key /etc/configsvc/signing-key.pem
    """
    from configsvc.crypto import signing

    signing.generate(file)
    click.echo(f"wrote {file}; name it in CONFIGSVC_SIGNING_KEY_FILE", err=True)


@keys.command("init")
@click.argument("file", type=FILE)
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
@click.argument("file", type=FILE)
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
        yield Rotation(database, data_keys, Origin(operator(), "", ""))


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
