"""`configsvc audit`: whether the record is whole, its head to keep elsewhere, and the record itself."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configsvc.domain.chains import NO_ENVIRONMENT, Findings, walk_environment, walk_rest
from configsvc.errors import SetupError
from configsvc.store.database import Row
from configsvc.store.verification import Snapshot, snapshot


class Tail(BaseModel):
    """The last row of a chain: ``number`` is a release's revision, or an audit event's id; ``hash`` is in hex."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int = Field(ge=0, le=2**63 - 1)
    hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Head(BaseModel):
    """Where every chain ended at a moment. Kept out of the database's reach, it shows a tail that was cut."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    #: By environment.
    releases: Mapping[str, Tail]
    #: By environment, and "" for the chain of all else.
    events: Mapping[str, Tail]


def read_head(text: bytes) -> Head:
    """Return what `configsvc audit head` has printed.

    Raises:
        SetupError: it is something else.
    """
    try:
        return Head.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise SetupError(
            f"--head is not what `configsvc audit head` prints: {f'{at}: ' if at else ''}{first['msg']}"
        ) from None


def head(database_url: str) -> Head:
    """Return where every chain ends now.

    Raises:
        SetupError: the database can't be read.
    """
    with snapshot(database_url) as now:
        return head_of(now)


def head_of(now: Snapshot) -> Head:
    """Return where every chain ends in one state of the database."""
    return Head(at=now.moment(), releases=_tails(now.release_tails()), events=_tails(now.event_tails()))


def export(database_url: str, envs: Sequence[str], since: datetime | None, until: datetime | None) -> Iterator[str]:
    """Yield audit events as JSON texts, oldest first; of all environments and of none, or of ``envs`` alone.

    Raises:
        SetupError: the database can't be read, or has no such environment.
    """
    with snapshot(database_url) as now:
        known = {row["name"] for row in now.environments()}
        if unknown := [env for env in envs if env not in known]:
            raise SetupError(f"there is no environment {unknown[0]}: there are {', '.join(sorted(known))}")
        yield from now.archive(envs or None, since, until)


def verify(database_url: str, kept: Head | None = None) -> Iterator[Findings]:
    """Yield what is found of each environment, and of all else, in one state of the database.

    Raises:
        SetupError: the database can't be read.
    """
    with snapshot(database_url) as now:
        yield from examine(now, kept)


def examine(now: Snapshot, kept: Head | None = None) -> Iterator[Findings]:
    """Yield what is found in one state of the database; ``kept``: an earlier head, which it has to hold."""
    environments = now.environments()
    for row in environments:
        findings = Findings(row["name"])
        chains = now.releases(row["id"]), now.changes(row["id"]), now.events(row["id"])
        walk_environment(findings, row["revision"], *chains)
        _check_present(now, row["id"], findings)
        _check_head(now, kept, row["name"], row["id"], findings)
        yield findings
    rest = Findings(NO_ENVIRONMENT)
    walk_rest(rest, now.events(0))
    _check_head(now, kept, "", 0, rest)
    yield rest
    yield from _missing(now, kept, {"", *(row["name"] for row in environments)})


def _tails(rows: Sequence[Row]) -> dict[str, Tail]:
    return {row["name"]: Tail(number=row["number"], hash=row["hash"]) for row in rows}


def _check_present(now: Snapshot, env_id: int, findings: Findings) -> None:
    """Look at what the chains do not cover: what is active, and what the scopes say of it."""
    if key := now.wrong_key(env_id):
        few_or_many = f"{key['active']} versions are active"
        what = few_or_many if key["active"] != 1 else "the newest version is not the active one"
        findings.note("key", f"{key['name']}: {what}")
    if scope := now.wrong_scope(env_id):
        findings.note("scope", f"scope {scope['name']}: revision, keys or bytes are not what its versions add up to")


def _check_head(now: Snapshot, kept: Head | None, name: str, chain: int, findings: Findings) -> None:
    if kept is None:
        return
    if (tail := kept.releases.get(name)) and (wrong := _unlike(tail, now.release_hash, chain)):
        findings.note("head of releases", f"release {tail.number}: {wrong} of {kept.at}")
    if (tail := kept.events.get(name)) and (wrong := _unlike(tail, now.event_hash, chain)):
        findings.note("head of events", f"audit event {tail.number}: {wrong} of {kept.at}")


def _unlike(tail: Tail, stored: Callable[[int, int], str | None], chain: int) -> str | None:
    found = stored(chain, tail.number)
    if found is None:
        return "is not there, and is in the head"
    return None if found == tail.hash else "its hash is not that in the head"


def _missing(now: Snapshot, kept: Head | None, known: set[str]) -> Iterator[Findings]:
    """Yield the environments that something tells of, and that are not there."""
    for row in now.strays():
        findings = Findings(f"environment {row['env_id']}")
        findings.note("environment", f"is not there, and {row['what']} of it are")
        yield findings
    for name in sorted({*kept.releases, *kept.events} - known if kept else ()):
        findings = Findings(name)
        findings.note("environment", f"is not there, and is in the head of {kept.at if kept else ''}")
        yield findings
