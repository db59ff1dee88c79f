"""The chains of hashes, computed anew from stored rows: what `configsvc audit verify` goes by.

Whoever can alter rows can replace the database's functions, too, so nothing here comes from them but the definition:
the hash of a release, and of an audit event, is SHA-256 over the hash before it and its content (``release_content``
and ``audit_content`` in sql/schema.sql). Content is JSON as Postgres writes it; Python's text is the same, character by
character, for all that can be stored.

Rows come in as they stand in order; each walk holds one of them at a time, or the changes of one release. A walk goes
on after a fault, so that the other chain is still looked at, and the first fault of each is kept.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, TypeVar

#: How the chain of all that is not an environment's is called where people read it. No environment can have this name.
NO_ENVIRONMENT = "no environment"

_Left = TypeVar("_Left")
_Right = TypeVar("_Right")

_text = json.JSONEncoder(ensure_ascii=False).encode
#: Postgres puts no space between the elements of what was an array of its own.
_array = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Release(NamedTuple):
    """A row of ``release``. ``created_at_us``: microseconds since 1970; ``review``: the jsonb's text."""

    revision: int
    hash: bytes
    kind: str
    note: str
    namespaces: list[str]
    created_by: str
    created_at_us: int
    review: str | None


class Change(NamedTuple):
    """A row of ``config_version`` with its key's names. ``at_home``: it is in the namespace that declares the key.

    A secret has a ``value_id`` and a ``fingerprint`` in place of a value.
    """

    revision: int
    namespace: str
    key: str
    type: str
    version: int
    value: str | None
    value_id: str | None
    fingerprint: str | None
    deleted: bool
    at_home: bool
    created_by: str
    created_at_us: int


class Event(NamedTuple):
    """A row of ``audit_event``. ``env``: what it is about; ``details``: the jsonb's text."""

    id: int
    env: str | None
    revision: int | None
    action: str
    actor: str
    request_id: str
    address: str
    namespaces: list[str]
    details: str
    created_at_us: int
    hash: bytes


@dataclass
class Findings:
    """What was seen of one environment, or of the chain of all else."""

    name: str
    releases: int = 0
    events: int = 0
    _first: dict[str, str] = field(default_factory=dict)

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self._first

    @property
    def lines(self) -> list[str]:
        """The first fault of each kind, or the one line that says there is none."""
        if self._first:
            return list(self._first.values())
        releases = f"{self.releases} releases, " if self.name != NO_ENVIRONMENT else ""
        return [f"{self.name}: {releases}{self.events} events, intact"]

    def note(self, kind: str, what: str) -> None:
        """Keep what is wrong with the environment, unless something of this kind is already."""
        self._first.setdefault(kind, f"{self.name}: {what}")

    def note_release(self, revision: int, what: str) -> None:
        """Keep what is wrong with a release, unless an earlier one is broken."""
        self.note("release", f"release {revision}: {what}")

    def note_event(self, event_id: int, what: str) -> None:
        """Keep what is wrong with an audit event, unless an earlier one is broken."""
        self._first.setdefault("event", f"audit event {event_id} of {self.name}: {what}")


def release_content(env: str, release: Release, changes: Iterable[Change]) -> str:
    """Return what a release's hash covers; ``changes`` in the order of namespace and key."""
    head = ["configsvc/release/v1", env, release.revision, release.kind, release.note, release.created_by]
    body = ",".join(_text(_hashed(one)) for one in changes)
    review = "" if release.review is None else f", {release.review}"
    return f"{_text(head)[:-1]}, {release.created_at_us}, [{body}]{review}]"


def _hashed(change: Change) -> list[object]:
    plain = [change.namespace, change.key, change.type, change.version, change.value]
    return plain if change.value_id is None else [*plain, change.value_id, change.fingerprint]


def audit_content(chain: str, event: Event) -> str:
    """Return what an audit event's hash covers. ``chain``: the environment's name, "" for the chain of all else."""
    head = ["configsvc/audit/v1", chain, *event[1:7]]
    return f"{_text(head)[:-1]}, {_array(event.namespaces)}, {event.details}, {event.created_at_us}]"


def walk_environment(
    findings: Findings, revision: int, releases: Iterable[Release], changes: Iterable[Change], events: Iterable[Event]
) -> None:
    """Walk both chains of an environment side by side, and hold them against each other and its ``revision``."""
    last = 0
    audited = _walk_events(findings.name, events, findings)
    hashed = False  # events of before migration 0002 do not name the hash; none comes after one that does
    for release, event in _in_step(
        _walk_releases(releases, changes, findings), audited, lambda pair: pair[0].revision, _revision_of
    ):
        if release is not None:
            last = release[0].revision
        if event is None:
            if last > 0:
                findings.note_release(last, "has no audit event")
        elif release is None:
            findings.note_event(event.id, f"there is no release {event.revision}, or it has another event")
        else:
            details = _object(event.details)
            hashed = hashed or "hash" in details
            if wrong := _disagreement(*release, event, details, hashed=hashed):
                findings.note_event(event.id, f"{wrong} of release {event.revision}")
    if last != revision:
        findings.note("revision", f"its revision is {revision}, and its last release is {last}")


def walk_rest(findings: Findings, events: Iterable[Event]) -> None:
    """Walk the chain of what is not an environment's."""
    for event in _walk_events("", events, findings):
        findings.note_event(event.id, "a release stands in its environment's chain, not here")


def _walk_releases(
    releases: Iterable[Release], changes: Iterable[Change], findings: Findings
) -> Iterator[tuple[Release, int]]:
    """Yield each release with the number of its changes."""
    previous, following = b"", 0
    batches = (list(batch) for _, batch in groupby(changes, attrgetter("revision")))
    for release, batch in _in_step(releases, batches, attrgetter("revision"), lambda batch: batch[0].revision):
        if release is None:
            findings.note_release(batch[0].revision if batch else following, "is not there, and its values are")
            continue
        if release.revision != following:
            findings.note_release(following, "is not there")
        ordered = sorted(batch or (), key=lambda change: (change.namespace or "", change.key or ""))
        if wrong := _fault(findings.name, previous, release, ordered):
            findings.note_release(release.revision, wrong)
        previous, following = release.hash, release.revision + 1
        findings.releases += release.revision > 0
        yield release, len(ordered)


def _fault(env: str, previous: bytes, release: Release, changes: list[Change]) -> str | None:
    if release.revision == 0:
        return "the empty beginning has values" if changes else None
    if sha256(previous + release_content(env, release, changes).encode()).digest() != release.hash:
        return "its content does not match its hash"
    if release.namespaces != list(dict.fromkeys(change.namespace for change in changes)):
        return "its namespaces are not those of its changes"
    made = (release.created_by, release.created_at_us)
    for change in changes:
        if (
            not change.at_home
            or change.deleted != (change.value is None and change.value_id is None)
            or made != change[-2:]
        ):
            return f"{change.namespace}/{change.key} is not as it was released"
    return None


def _walk_events(chain: str, events: Iterable[Event], findings: Findings) -> Iterator[Event]:
    """Yield the events that tell of a release."""
    previous = b""
    for event in events:
        if sha256(previous + audit_content(chain, event).encode()).digest() != event.hash:
            findings.note_event(event.id, "its content, or the event before it, does not match its hash")
        previous = event.hash
        findings.events += 1
        if event.action.startswith("release."):
            yield event


def _disagreement(
    release: Release, changes: int, event: Event, details: dict[str, object], *, hashed: bool
) -> str | None:
    if event.action != f"release.{release.kind}":
        return "the action is not the kind"
    if event.actor != release.created_by:
        return "the actor is not the author"
    if event.created_at_us != release.created_at_us:
        return "the time is not that"
    if event.namespaces != release.namespaces:
        return "the namespaces are not those"
    proof = {"hash": release.hash.hex()} if hashed else {"namespaces": release.namespaces}
    if details != {"changes": changes, **proof, **_object(release.review or "{}")}:
        return "the details are not those"
    return None


def _object(text: str) -> dict[str, object]:
    """Return a JSON object; an empty one for whatever else a forger may have put there."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _revision_of(event: Event) -> int:
    return -1 if event.revision is None else event.revision


def _in_step(
    lefts: Iterable[_Left],
    rights: Iterable[_Right],
    left_at: Callable[[_Left], int],
    right_at: Callable[[_Right], int],
) -> Iterator[tuple[_Left | None, _Right | None]]:
    """Go through two rows of things by their numbers: pairs where both have one, else the one with None."""
    left_ones, right_ones = iter(lefts), iter(rights)
    left, right = next(left_ones, None), next(right_ones, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left_at(left) < right_at(right)):
            yield left, None
            left = next(left_ones, None)
        elif left is None or right_at(right) < left_at(left):
            yield None, right
            right = next(right_ones, None)
        else:
            yield left, right
            left, right = next(left_ones, None), next(right_ones, None)
