"""The record of who did what: checked, and copied."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

import sys
from datetime import UTC, datetime
from typing import BinaryIO

import click

_MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"])


@click.group()
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
