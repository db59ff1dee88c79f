"""Change requests: what is proposed, what is said about it, and its end (DESIGN.md §7, §8).

Whatever changes a request does so under its environment's row lock, as commits do: a release that makes one void and an
approval of it come one after the other.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from configsvc.domain import releases, reviews
from configsvc.domain.comparisons import Promoted
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit, SchemaEdit, SecretRef, Source
from configsvc.domain.reviews import Proposed
from configsvc.domain.schemas import Checks
from configsvc.errors import (
    Conflict,
    Forbidden,
    Hidden,
    PayloadTooLarge,
    RequestError,
    RevisionMismatch,
    ValidationFailed,
)
from configsvc.service.access import Caller, not_found, require_place
from configsvc.service.keys import schema_text
from configsvc.service.promotions import Promotions
from configsvc.service.releases import Releases
from configsvc.service.writes import Outcome, Terms, Write
from configsvc.store import audit
from configsvc.store import change_requests as store
from configsvc.store import secrets as secret_store
from configsvc.store import watch as watch_store
from configsvc.store.change_requests import Edition, Filter
from configsvc.store.database import Connection, Database, Row

#: Requests of one environment that wait. Every commit looks at them.
PENDING_MAX = 1_000


@dataclass(frozen=True)
class Changes:
    """What is proposed: values, schemas, and what is to be taken from other environments."""

    edits: Sequence[Edit]
    schemas: Sequence[SchemaEdit] = ()
    promoted: Sequence[Promoted] = ()


@dataclass(frozen=True)
class Proposal:
    """What is proposed for one environment."""

    env: str
    edits: Sequence[Edit]
    schemas: Sequence[SchemaEdit]
    note: str


@dataclass(frozen=True)
class Shown:
    """A request with all that a reviewer needs.

    ``may``: the steps that this caller can take now. ``mine``: it counts as theirs, so they don't approve it.
    """

    request: Row
    changes: Sequence[Row]
    reviews: Sequence[Row]
    watchers: dict[str, object]
    may: Sequence[str]
    mine: bool


class ChangeRequests:
    """Proposes, reviews and applies."""

    def __init__(self, database: Database, gate: Releases, promotions: Promotions) -> None:
        self._database = database
        self._gate = gate
        self._promotions = promotions

    def page(self, caller: Caller, wanted: Filter, before: int, limit: int) -> tuple[Sequence[Row], int | None]:
        """Return a page of the requests that the caller may see, newest first, and where the next page begins."""
        require_place(self._database, caller, wanted.namespace, wanted.env)
        rows = store.requests(self._database, wanted, before, limit)
        return [row for row in rows if _visible(caller, row)], rows[-1]["id"] if len(rows) == limit else None

    def one(self, caller: Caller, request_id: int) -> Shown:
        """Return one request beside what is live now."""
        with self._database.connection() as connection:
            return self._shown(connection, caller, request_id)

    def open(self, caller: Caller, env: str, changes: Changes, note: str) -> Shown:
        """Propose a release.

        Raises:
            NotFound, Forbidden, ValidationFailed: as the write itself would, and where it would change nothing.
            PayloadTooLarge: too many requests wait already.
        """
        proposal = Proposal(env, *self._resolved(caller, env, changes), note)
        with self._database.transaction() as connection:
            environment = store.lock_environment(connection, proposal.env)
            edition = self._edition(connection, caller, environment, proposal)
            if environment is None:
                raise not_found(None, proposal.env)
            if store.pending(connection, environment["id"]) >= PENDING_MAX:
                raise PayloadTooLarge(
                    f"{PENDING_MAX} requests wait in {proposal.env}: apply, reject or withdraw some first"
                )
            request_id = store.insert(connection, environment["id"], edition, caller.name, caller.principal)
            _record(
                connection, caller, "open", proposal.env, edition.namespaces, request_id, changes=len(edition.changes)
            )
            return self._shown(connection, caller, request_id)

    def edit(self, caller: Caller, request_id: int, changes: Changes | None, note: str | None) -> Shown:
        """Propose something else in its place, made on what is there now; approvals of before count no more.

        ``changes`` None: the same changes again. For its author.
        """
        resolved = None
        if changes is not None:
            with self._database.connection() as connection:
                seen = _visible_request(connection, caller, request_id)
            with _about(seen):
                _authors_only(caller, seen, "edit")
                resolved = self._resolved(caller, seen["env"], changes)
        with self._locked(caller, request_id) as (connection, environment, request):
            _authors_only(caller, request, "edit")
            reviews.check("edit", request_id, request["status"], request["void_reason"])
            edits, schemas = resolved or _again(store.changes(connection, request))
            new_note = request["note"] if note is None else note
            edition = self._edition(connection, caller, environment, Proposal(request["env"], edits, schemas, new_note))
            number = store.edit(connection, request_id, edition)
            _record(connection, caller, "edit", request["env"], edition.namespaces, request_id, edition=number)
            return self._shown(connection, caller, request_id)

    def review(self, caller: Caller, request_id: int, decision: str, comment: str, digest: str | None) -> Shown:
        """Approve, reject or comment on a request as it is now.

        ``digest``: of the edition that the caller has seen; another one is not what they decided about.

        Raises:
            Forbidden: the caller proposed it, or made the token that did, or has too small a grant.
            RevisionMismatch: it was edited since.
        """
        with self._locked(caller, request_id) as (connection, _, request):
            right = Action.PROPOSE if decision == "comment" else Action.APPROVE
            for namespace in request["namespaces"]:
                caller.require(right, namespace, request["env"], bool(request["review_required"]))
            if decision == "approve" and caller.principal == request["principal"]:
                raise Forbidden(
                    f"nobody approves their own: {caller.name} counts as {request['principal']}, and so does the author"
                )
            reviews.check(
                "comment" if decision == "comment" else "review", request_id, request["status"], request["void_reason"]
            )
            if digest is not None and digest != request["digest"].hex():
                raise RevisionMismatch("the request was edited since you read it: read it again")
            store.insert_review(connection, request, decision, comment, caller.name, caller.principal)
            reviewed = _get(connection, request_id)
            status = reviews.after_review(
                decision, request["status"], len(reviewed["approved_by"]), request["approvals"]
            )
            if status != request["status"]:
                store.set_status(connection, request_id, status)
            _record(
                connection,
                caller,
                decision,
                request["env"],
                request["namespaces"],
                request_id,
                edition=request["edition"],
                digest=request["digest"].hex(),
                comment=comment,
            )
            return self._shown(connection, caller, request_id)

    def withdraw(self, caller: Caller, request_id: int, comment: str) -> Shown:
        """End a request that was not applied; for its author."""
        with self._locked(caller, request_id) as (connection, _, request):
            _authors_only(caller, request, "withdraw")
            reviews.check("withdraw", request_id, request["status"], request["void_reason"])
            store.set_status(connection, request_id, "withdrawn")
            _record(connection, caller, "withdraw", request["env"], request["namespaces"], request_id, comment=comment)
            return self._shown(connection, caller, request_id)

    def apply(self, caller: Caller, request_id: int, terms: Terms) -> Outcome:
        """Commit an approved request as one release; for its author, and for whoever may write there.

        Raises:
            Conflict: it is not approved, or void; and all that a write raises.
        """
        with self._database.connection() as connection:
            request = _visible_request(connection, caller, request_id)
        # A token that the author minted counts as the author, and may have smaller rights.
        right = Action.PROPOSE if caller.principal == request["principal"] else Action.WRITE
        with _about(request):
            for namespace in request["namespaces"]:
                caller.require(right, namespace, request["env"], bool(request["review_required"]))

        def plan() -> Write:
            with self._database.connection() as connection:
                now = _get(connection, request_id)
                reviews.check("apply", request_id, now["status"], now["void_reason"])
                rows = store.changes(connection, now)
            if any(row["key_deleted"] for row in rows):
                raise Conflict(f"request {request_id} is about a key that was deleted since: edit it, and look again")
            edits, schemas = _again(rows)
            return Write(
                now["env"], edits, "request", namespace=now["namespaces"][0], schemas=schemas,
                request=(request_id, now["edition"]),
            )  # fmt: skip

        with _about(request):
            return self._gate.commit_plan(caller, request["env"], plan, replace(terms, note=request["note"]))

    def _resolved(self, caller: Caller, env: str, changes: Changes) -> tuple[Sequence[Edit], Sequence[SchemaEdit]]:
        """Return the changes with the values that other environments have now: what is approved is what is applied."""
        return [*changes.edits, *self._promotions.proposed(caller, env, changes.promoted)], changes.schemas

    def _edition(self, connection: Connection, caller: Caller, environment: Row | None, proposal: Proposal) -> Edition:
        """Check a proposal as the write would be checked, and say what it is made on."""
        edits = [*proposal.edits, *(Edit(s.namespace, s.key, delete=True, field=s.field) for s in proposal.schemas)]
        releases.check(edits)
        to_see = Terms(dry_run=True)  # proposing takes the right that seeing takes
        resolved = self._gate.resolve(connection, caller, Write(proposal.env, edits), to_see)
        assert environment is not None  # or resolve had said so
        values = self._gate.values(connection, proposal.env, proposal.edits, resolved[: len(proposal.edits)])
        checks = Checks()
        schemas = [_checked_schema(edit, checks) for edit in proposal.schemas]
        bases = store.bases(connection, environment["id"], [row["key_id"] for row in resolved])
        secrets = values.secrets or [None] * len(values.texts)
        no_values, no_schemas = [None] * len(schemas), [None] * len(proposal.edits)
        changes = [
            Proposed(
                base["key_id"],
                edit.namespace,
                edit.key,
                text,
                schema,
                base["base_version"],
                base["base_definition"],
                secret and SecretRef(secret.value_id, secret.fingerprint, row["type"]),
                edit.source,
            )
            for edit, base, row, text, secret, schema in zip(
                edits,
                bases,
                resolved,
                [*values.texts, *no_values],
                [*secrets, *no_values],
                [*no_schemas, *schemas],
                strict=True,
            )
        ]
        sealed = [(row["key_id"], kept) for row, kept in zip(resolved, secrets, strict=False) if kept and kept.sealed]
        if sealed:
            secret_store.keep(connection, [key_id for key_id, _ in sealed], [kept for _, kept in sealed])
        if not any(_changes_something(change, base) for change, base in zip(changes, bases, strict=True)):
            raise ValidationFailed([("changes", f"{proposal.env} is like this already: there is nothing to propose")])
        # In the order in which commits lock keys: what refers to one locks it, too.
        changes.sort(key=lambda change: (change.namespace, change.key))
        namespaces = sorted({change.namespace for change in changes})
        return Edition(proposal.note, namespaces, environment["revision"], reviews.digest(changes), changes)

    def _shown(self, connection: Connection, caller: Caller, request_id: int) -> Shown:
        request = _visible_request(connection, caller, request_id)
        watchers = watch_store.affected(connection, request["env"], request["namespaces"])
        said = store.reviews(connection, request_id)
        changes, mine = store.changes(connection, request), _is_mine(caller, request)
        return Shown(request, changes, said, watchers, _may(caller, request), mine)

    @contextmanager
    def _locked(self, caller: Caller, request_id: int) -> Iterator[tuple[Connection, Row, Row]]:
        """The request and its environment, which nobody else changes until the end."""
        with self._database.transaction() as connection:
            seen = _visible_request(connection, caller, request_id)
            environment = store.lock_environment(connection, seen["env"])
            assert environment is not None
            # An edit may have brought in what the caller may not see.
            request = _visible_request(connection, caller, request_id)
            with _about(request):
                yield connection, environment, request


def _get(connection: Connection, request_id: int) -> Row:
    request = store.request(connection, request_id)
    if request is None:
        raise _no_request(request_id)
    return request


def _visible_request(connection: Connection, caller: Caller, request_id: int) -> Row:
    request = store.request(connection, request_id)
    if request is None or not _visible(caller, request):
        raise _no_request(request_id)
    return request


@contextmanager
def _about(request: Row) -> Iterator[None]:
    """Say of what is refused where it would have been: the address has only the number."""
    try:
        yield
    except RequestError as error:
        error.place = request["env"], tuple(request["namespaces"])
        raise


def _no_request(request_id: int) -> Hidden:
    return Hidden(f"there is no request {request_id} that you may see")


def _visible(caller: Caller, request: Row) -> bool:
    """A request is seen whole or not at all."""
    return all(caller.may(Action.READ, namespace, request["env"]) for namespace in request["namespaces"])


def _authors_only(caller: Caller, request: Row, step: str) -> None:
    if caller.principal != request["principal"]:
        raise Forbidden(f"only its author, {request['author']}, can {step} request {request['id']}")
    for namespace in request["namespaces"]:
        caller.require(Action.PROPOSE, namespace, request["env"])


def _again(rows: Sequence[Row]) -> tuple[Sequence[Edit], Sequence[SchemaEdit]]:
    """Return the changes of an edition as they were asked for."""
    edits = [
        replace(releases.to_state(row["namespace"], row["name"], row), source=_source(row))
        for row in rows
        if row["new_schema"] is None
    ]
    schemas = [
        SchemaEdit(row["namespace"], row["name"], json.loads(row["new_schema"]), row["base_definition"])
        for row in rows
        if row["new_schema"] is not None
    ]
    return edits, schemas


def _source(row: Row) -> Source | None:
    return None if row["source_env"] is None else Source(row["source_env"], row["source_revision"])


def _checked_schema(edit: SchemaEdit, checks: Checks) -> str:
    try:
        return schema_text(edit.schema, checks) or "null"
    except ValidationFailed as error:
        raise ValidationFailed([(f"{edit.field}.schema", error.detail)]) from None


def _changes_something(change: Proposed, base: Row) -> bool:
    if change.schema is not None:
        return bool(change.schema != (base["schema"] or "null"))
    # A secret always does: a no would tell a guesser that the guess was right.
    return change.secret is not None or base["fingerprint"] is not None or change.text != base["value"]


def _is_mine(caller: Caller, request: Row) -> bool:
    return bool(caller.principal == request["principal"])


def _may(caller: Caller, request: Row) -> Sequence[str]:
    """Name the steps that the caller can take now, so that tools show only those."""
    mine = _is_mine(caller, request)
    protected = bool(request["review_required"])

    def may(action: Action) -> bool:
        return all(caller.may(action, namespace, request["env"], protected) for namespace in request["namespaces"])

    rights = {
        "approve": may(Action.APPROVE) and not mine and caller.name not in request["approved_by"],
        "reject": may(Action.APPROVE),
        "comment": may(Action.PROPOSE),
        "edit": mine and may(Action.PROPOSE),
        "withdraw": mine and may(Action.PROPOSE),
        "apply": may(Action.WRITE) or (mine and may(Action.PROPOSE)),
    }
    steps = {"approve": "review", "reject": "review"}
    return [
        name for name, right in rights.items() if right and reviews.possible(steps.get(name, name), request["status"])
    ]


def _record(
    connection: Connection,
    caller: Caller,
    step: str,
    env: str,
    namespaces: Sequence[str],
    request_id: int,
    **more: object,
) -> None:
    details = {"request": request_id, **more}
    audit.record(connection, caller.origin, f"request.{step}", details, env=env, in_order=True, namespaces=namespaces)
