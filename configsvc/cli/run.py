"""Running the service: everything here, the API, the relay, and what they need before."""

# ruff: noqa: D301  # click keeps lines apart after the character \b, which a raw string would not hold

import logging
import time
from pathlib import Path

import click

from configsvc import __version__, logs
from configsvc.cli.common import FILE

#: Of the command: what `configsvc dev` measures from.
_BEGAN_AT = time.monotonic()
_FOLDER = click.Path(path_type=Path, readable=False)


@click.command()
@click.option("--data-dir", type=_FOLDER, default=Path(".dev"), show_default=True, help="Where everything is kept.")
@click.option("--port", type=click.IntRange(0, 65535), default=8400, show_default=True, help="Of the API; 0: any free.")
@click.option("--ready-file", type=FILE, help="Written (JSON) when all parts answer, removed at the end.")
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


@click.command()
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


@click.command()
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


@click.command("redis-accounts")
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


@click.command()
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
