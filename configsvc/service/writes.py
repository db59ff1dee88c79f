"""What a write is, before the gate: what is wanted, on which terms, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configsvc.domain.releases import Edit, SchemaEdit
from configsvc.store.releases import Idempotency


@dataclass(frozen=True)
class Condition:
    """An If-Match: the scope's cursor, or one key's version."""

    cursor: str | None = None
    version: int | None = None


@dataclass(frozen=True)
class Terms:
    """How a write is wanted: with which note, under which condition, recognisable by what, for real or to see only."""

    note: str = ""
    condition: Condition = Condition()
    idempotency: Idempotency | None = None
    dry_run: bool = False
    #: Why a protected environment is to be written without a review.
    break_glass: str | None = None


@dataclass(frozen=True)
class Write:
    """What is to be written. ``declare_type``: declare the (single) key with this type if it is not there yet.

    ``base``: the edits are a plan that was made at this revision, and hold only while no later release has touched
    their namespaces. ``namespace``: what a plan is about, because one that finds nothing to do has no edits.
    ``request``: the approved request that this is, and its edition; whoever applies it has been authorised for it.
    ``schemas``: what keys are given another schema in the same transaction; only an approved request has some.
    ``made_from``: what the values are from, where that is another environment; it stands before the note.
    """

    env: str
    edits: Sequence[Edit]
    kind: str = "edit"
    declare_type: str | None = None
    base: int | None = None
    namespace: str | None = None
    request: tuple[int, int] | None = None
    schemas: Sequence[SchemaEdit] = ()
    made_from: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a write answers."""

    answer: Mapping[str, object]
    replayed: bool
