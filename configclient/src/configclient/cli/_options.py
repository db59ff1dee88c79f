"""What several commands share: how they are made, which service and environment, which state, on which terms."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import click

from configclient.cli._moments import parse_time
from configclient.cli._names import ENVIRONMENT
from configclient.cli._target import checked_env, find_service, target

Command = Callable[..., Any]
# One state of an environment: a revision, or a time.
Moment = int | datetime

# An ETag, with its quotes or without (a shell eats them), or the cursor that it is made of. v0: while it has no value.
STATE = re.compile(r'(?:W/)?"?(?:(?P<version>v[0-9]{1,9})|r?(?P<cursor>[0-9]{1,18}\.[0-9a-f]{16}))(?:\.m)?"?')

# A release; 0 is the empty beginning, and none.
REVISION = click.IntRange(min=1)

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")

break_glass_option = click.option(
    "--break-glass",
    metavar="REASON",
    help="In an emergency: without a review. The history and the audit trail show it.",
)


@dataclass(frozen=True)
class Terms:
    """How a write is wanted: with which note, under which condition (an ETag), for real or to see only.

    ``yes``: nobody is asked. ``wait``: for every instance to have it, for ``timeout_s``. ``break_glass``: why a
    protected environment is written without a review.
    """

    note: str = ""
    if_match: str | None = None
    dry_run: bool = False
    yes: bool = False
    wait: bool = False
    timeout_s: float = 30.0
    break_glass: str | None = None

    def body(self) -> dict[str, Any]:
        """What they add to the body of a write."""
        reason = {} if self.break_glass is None else {"break_glass": {"reason": self.break_glass}}
        return {"note": self.note, **reason}


def examples(*lines: str) -> str:
    """The end of a command's help: what people type."""
    return "\n".join(("\b\nExamples:", *(f"  {line}" for line in lines)))


def on_service(command: Command) -> Command:
    """Adds ``--url`` and ``--profile``; the command gets a :class:`Service` as ``service``."""

    @_where
    @functools.wraps(command)
    def wrapper(url: str | None, profile: str | None, **rest: Any) -> Any:
        return command(service=find_service(url, profile), **rest)

    return wrapper


def on_target(command: Command) -> Command:
    """Adds ``--env``, ``--url`` and ``--profile``; the command gets a :class:`Target` as ``target``."""

    @click.option(
        "--env", type=ENVIRONMENT, metavar="ENV", envvar="CONFIGSVC_ENV", help="The environment; or CONFIGSVC_ENV."
    )
    @_where
    @functools.wraps(command)
    def wrapper(env: str | None, url: str | None, profile: str | None, **rest: Any) -> Any:
        checked_env(env)  # first: it is the word most often left out
        return command(target=target(env, find_service(url, profile)), **rest)

    return wrapper


def _where(command: Command) -> Command:
    by_url = click.option("--url", envvar="CONFIGSVC_URL", help="The service's address; or CONFIGSVC_URL.")
    by_name = click.option("--profile", help="The service by its name, see `login`; or CONFIGSVC_PROFILE.")
    return by_url(by_name(command))


def on_terms(command: Command) -> Command:
    """Adds what :func:`on_plan_terms` does, and ``--if-match``; the command gets :class:`Terms` as ``terms``."""

    @click.option(
        "--if-match",
        type=_etag,
        metavar="STATE",
        help="Only if nobody changed it since: the key's version (v3), or the namespace's cursor of `list -o json`.",
    )
    @on_plan_terms
    @functools.wraps(command)
    def wrapper(terms: Terms, if_match: str | None, **rest: Any) -> Any:
        return command(terms=replace(terms, if_match=if_match), **rest)

    return wrapper


def on_plan_terms(command: Command) -> Command:
    """Adds ``--note``, ``--dry-run``, ``--yes``, ``--break-glass``, ``--wait`` and ``--timeout``, as :class:`Terms`."""

    @click.option("--note", default="", help="Why; it stays in the history.")
    @dry_run_option
    @click.option("-y", "--yes", is_flag=True, help="Do not ask: propose, where the environment is protected.")
    @break_glass_option
    @_wait_options
    @functools.wraps(command)
    def wrapper(
        note: str, dry_run: bool, yes: bool, break_glass: str | None, wait: bool, timeout: float, **rest: Any
    ) -> Any:
        return command(terms=Terms(note, None, dry_run, yes, wait, timeout, break_glass), **rest)

    return wrapper


def on_terms_of_request(command: Command) -> Command:
    """Adds ``--dry-run``, ``--wait`` and ``--timeout``; the command gets :class:`Terms`. A request has its own note."""

    @dry_run_option
    @_wait_options
    @functools.wraps(command)
    def wrapper(dry_run: bool, wait: bool, timeout: float, **rest: Any) -> Any:
        return command(terms=Terms(dry_run=dry_run, wait=wait, timeout_s=timeout), **rest)

    return wrapper


def _wait_options(command: Command) -> Command:
    wait = click.option("--wait", is_flag=True, help="Wait until every instance has it; exit code 7 if one does not.")
    timeout = click.option(
        "--timeout", type=click.FloatRange(min=0), default=30.0, metavar="SECONDS", help="Of --wait; 30."
    )
    return wait(timeout(command))


def state(name: str, by_revision: str, by_time: str, what: str) -> Callable[[Command], Command]:
    """Adds two options for one state, by revision or by time; the command gets a :data:`Moment` or None as ``name``."""
    revision_name, time_name = f"{name}_revision", f"{name}_time"

    def decorate(command: Command) -> Command:
        @click.option(by_revision, revision_name, type=click.IntRange(min=0), metavar="REVISION", help=what)
        @click.option(by_time, time_name, type=time_of, metavar="TIME", help="The same by its time, in ISO 8601.")
        @functools.wraps(command)
        def wrapper(**given: Any) -> Any:
            revision, time = given.pop(revision_name), given.pop(time_name)
            if revision is not None and time is not None:
                raise click.UsageError(f"give {by_revision} or {by_time}, not both", click.get_current_context())
            return command(**given, **{name: time if revision is None else revision})

        return wrapper

    return decorate


def time_of(value: str) -> datetime:
    """The moment that an option names. Raises :class:`click.BadParameter`."""
    try:
        return parse_time(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _etag(value: str) -> str:
    """The ETag that ``value`` is, or stands for: a key's version, or the cursor of a namespace."""
    match = STATE.fullmatch(value)
    if match is None:
        raise click.BadParameter(
            f"{value!r} is no state; write a version like v3, or a cursor like 46.9f3a5c0d1e2b4f60"
        )
    return f'"{match["version"] or "r" + match["cursor"]}"'
