"""The gate: every write of settings goes through ``Releases`` (DESIGN.md §3, guarantee 7).

Validate, authorise, one transaction, audit; in this order, for every kind of write. What depends on the present is
decided once more by ``commit_release`` under the environment's lock.
"""

import hmac
from collections.abc import Callable, Sequence

from configsvc.domain import releases
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit
from configsvc.errors import Conflict, Malformed, RequestError, StalePlan
from configsvc.service import answers
from configsvc.service.access import Caller, not_found
from configsvc.service.edits import Values, undeclared, value_texts
from configsvc.service.keys import Declaration, declare, give_schema, record_declared, record_schema
from configsvc.service.secrets import Plain, Secrets
from configsvc.service.writes import Condition, Outcome, Terms, Write
from configsvc.store import catalog as catalog_store
from configsvc.store import history as history_store
from configsvc.store import releases as store
from configsvc.store import watch as watch_store
from configsvc.store.change_requests import lock_environment
from configsvc.store.database import Connection, Database, Row
from configsvc.store.releases import Commit, Committed, Idempotency, Leave
from configsvc.store.secrets import Kept

#: How often a plan is made anew because its base moved, before the caller is told.
PLANS_MAX = 3


class Releases:
    """Commits releases."""

    def __init__(self, database: Database, secrets: Secrets, idempotency_key: bytes) -> None:
        """``idempotency_key``: 32 bytes; bodies are compared by a keyed hash, so the table tells nothing about them."""
        self._database = database
        self._secrets = secrets
        self._idempotency_key = idempotency_key

    def idempotency(self, key: str | None, request: str, body: bytes) -> Idempotency | None:
        """Return what makes this request recognisable, None without an Idempotency-Key."""
        if key is None:
            return None
        return Idempotency(key, request, hmac.digest(self._idempotency_key, body, "sha256"))

    def commit(self, caller: Caller, write: Write, terms: Terms) -> Outcome:
        """Commit a write as one release; a dry run does all of it and takes it back.

        Raises:
            ValidationFailed, NotFound, Forbidden: before anything is written.
            RevisionMismatch, Conflict, PayloadTooLarge: decided under the lock; nothing is written either.
        """
        return self.commit_plan(caller, write.env, lambda: write, terms)

    def commit_plan(self, caller: Caller, env: str, plan: Callable[[], Write], terms: Terms) -> Outcome:
        """Commit what ``plan`` says, planned again where its base moved meanwhile.

        Raises:
            Conflict: others were faster three times; and all that ``commit`` raises.
        """
        # A repeated request is answered before it is planned: the plan of the first one may make no sense any more.
        if replayed := self._replayed(caller, env, terms):
            return replayed
        for _ in range(PLANS_MAX):
            try:
                return self._commit(caller, plan(), terms)
            except StalePlan:
                continue
            except RequestError:
                # Its twin may have been committed since the look above, and may be what made the plan impossible.
                if replayed := self._replayed(caller, env, terms):
                    return replayed
                raise
        raise Conflict("others keep changing the same settings: try again in a moment")

    def authorise(self, caller: Caller, env: str, namespaces: Sequence[str], terms: Terms) -> Row:
        """Refuse whoever may not write there, before a plan tells what it found; return the environment.

        Raises:
            NotFound, Forbidden: no grant there, or too small a one.
        """
        environment = catalog_store.environment(self._database, env)
        protected = environment is not None and bool(environment["review_required"])
        for namespace in namespaces:
            _authorise(caller, terms, namespace, env, protected)
        if environment is None:
            raise not_found(None, env)
        return environment

    def _replayed(self, caller: Caller, env: str, terms: Terms) -> Outcome | None:
        # A dry run writes nothing, so it can't do it twice: it says what would happen now.
        if terms.idempotency is None or terms.dry_run:
            return None
        with self._database.connection() as connection:
            seen = store.seen(connection, caller.name, terms.idempotency)
            if seen is None:
                return None
            return _replay(connection, env, seen.env_id, seen.revision, seen.hash, seen.changed)

    def _commit(self, caller: Caller, write: Write, terms: Terms) -> Outcome:
        releases.check(write.edits)
        _check_condition(terms.condition, write.edits)
        with self._database.connection() as connection:
            if write.declare_type is None and not write.schemas and not terms.dry_run:
                return self.written(connection, caller, write, terms)
            # Declaring and setting are one transaction: a refused value leaves no key behind.
            with connection.transaction(force_rollback=terms.dry_run):
                return self._written_with_keys(connection, caller, write, terms)

    def _written_with_keys(self, connection: Connection, caller: Caller, write: Write, terms: Terms) -> Outcome:
        if write.schemas:
            # First the environment, then all keys in one order, as commits lock them.
            lock_environment(connection, write.env)
            named = [(edit.namespace, edit.key) for edit in write.edits]
            catalog_store.lock_keys(connection, named + [(edit.namespace, edit.key) for edit in write.schemas])
        for edit in write.schemas:
            give_schema(connection, write.env, edit)
        declared = write.declare_type is not None and self._declare(connection, caller, write, terms)
        outcome = self.written(connection, caller, write, terms)
        if declared:
            record_declared(connection, caller, write.edits[0].namespace, [_declaration(write)])
        for edit in write.schemas:
            record_schema(
                connection, caller, edit.namespace, edit.key, edit.schema, {"request": (write.request or [0])[0]}
            )
        return outcome

    def written(self, connection: Connection, caller: Caller, write: Write, terms: Terms) -> Outcome:
        """Commit a write in the caller's transaction; see ``commit``."""
        if not write.edits:
            return self._nothing_to_do(connection, caller, write, terms)
        resolved = self.resolve(connection, caller, write, terms)
        values = self.values(connection, write.env, write.edits, resolved)
        release = Commit(
            env_id=resolved[0]["env_id"],
            kind=write.kind,
            note=_note(write, terms),
            key_ids=[row["key_id"] for row in resolved],
            values=values.texts,
            secrets=values.secrets,
            definitions=[row["definition"] for row in resolved],
            if_key_version=terms.condition.version,
            if_scope=resolved[0]["namespace_id"] if terms.condition.cursor else None,
            if_cursor=terms.condition.cursor,
            base=write.base,
            base_namespaces=sorted({row["namespace_id"] for row in resolved}),
            leave=_leave(write, terms, resolved[0]["review_required"]),
        )
        committed = store.commit(connection, release, caller.origin, None if terms.dry_run else terms.idempotency)
        changes = [
            answers.change(edit.namespace, edit.key, row["type"], committed.versions[row["key_id"]], text, shown)
            for edit, row, text, shown in zip(
                write.edits, resolved, values.texts, values.shown(terms.dry_run), strict=True
            )
            if row["key_id"] in committed.versions
        ]
        review_required = bool(resolved[0]["review_required"])
        return self._outcome(connection, write, terms, release, committed, changes, review_required)

    def _outcome(
        self,
        connection: Connection,
        write: Write,
        terms: Terms,
        release: Commit,
        committed: Committed,
        changes: list[dict[str, object]],
        review_required: bool,
    ) -> Outcome:
        if committed.replayed:  # the changes are those of the first time, whatever was asked for now
            changed = bool(committed.versions)
            return _replay(connection, write.env, release.env_id, committed.revision, committed.hash, changed)
        answer = answers.written(write.env, committed.revision, committed.hash, changes)
        if terms.dry_run:
            differences = history_store.differences(connection, release.env_id, committed.revision) if changes else []
            answer |= self._preview(connection, write, review_required, differences)
        return Outcome(answer, replayed=False)

    def _preview(
        self, connection: Connection, write: Write, review_required: bool, differences: Sequence[Row]
    ) -> dict[str, object]:
        """Say what a dry run adds: the difference, whether a review is due, and who would see it."""
        namespaces = sorted({row["namespace"] for row in differences})
        return {
            "diff": [
                {
                    "namespace": row["namespace"],
                    "key": row["name"],
                    "type": row["type"],
                    "from": answers.state(row["from_version"], row["from_value"], row["from_fingerprint"]),
                    "to": _foreseen(row),
                }
                for row in differences
            ],
            "review_required": review_required,
            "watchers": watch_store.affected(connection, write.env, namespaces),
        }

    def _nothing_to_do(self, connection: Connection, caller: Caller, write: Write, terms: Terms) -> Outcome:
        """Commit a plan without edits: its conditions hold for it too, and a repeat of it stays without effect."""
        environment = self._authorised(caller, write, terms)
        namespace_id = history_store.namespace_id(self._database, write.namespace or "")
        if namespace_id is None:
            raise not_found(write.namespace, write.env)
        release = Commit(
            env_id=environment["id"],
            kind=write.kind,
            note=_note(write, terms),
            key_ids=(),
            values=(),
            definitions=(),
            if_scope=namespace_id if terms.condition.cursor else None,
            if_cursor=terms.condition.cursor,
            base=write.base,
            base_namespaces=[namespace_id],
            leave=_leave(write, terms, environment["review_required"]),
        )
        committed = store.commit(connection, release, caller.origin, None if terms.dry_run else terms.idempotency)
        return self._outcome(connection, write, terms, release, committed, [], environment["review_required"])

    def _authorised(self, caller: Caller, write: Write, terms: Terms) -> Row:
        if write.request is None:
            return self.authorise(caller, write.env, [write.namespace or ""], terms)
        environment = catalog_store.environment(self._database, write.env)
        assert environment is not None  # requests keep their environment
        return environment

    def resolve(self, connection: Connection, caller: Caller, write: Write, terms: Terms) -> Sequence[Row]:
        """Find what the edits name, and authorise the caller for all of it.

        Raises:
            NotFound, Forbidden, ValidationFailed: something is not there, or the caller may not.
        """
        named = [(edit.namespace, edit.key) for edit in write.edits]
        resolved = catalog_store.resolve_keys(connection, write.env, named)
        protected = bool(resolved[0]["review_required"])
        for namespace in dict.fromkeys(edit.namespace for edit in write.edits):
            if write.request is None:
                _authorise(caller, terms, namespace, write.env, protected)
        for edit, row in zip(write.edits, resolved, strict=True):
            if row["env_id"] is None:
                raise not_found(None, write.env)
            if row["namespace_id"] is None:
                raise not_found(edit.namespace, write.env)
        if missing := [edit for edit, row in zip(write.edits, resolved, strict=True) if row["key_id"] is None]:
            raise undeclared(missing)
        return resolved

    def values(self, connection: Connection, env: str, edits: Sequence[Edit], resolved: Sequence[Row]) -> Values:
        """Check the edits' values, and seal those of secret keys.

        Raises:
            ValidationFailed: a value is not of its key's type, or breaks its schema, or can't be sealed here.
        """
        texts = value_texts(edits, resolved)
        secrets: list[Kept | None] = [
            Kept(edit.secret.value_id, edit.secret.fingerprint) if edit.secret else None for edit in edits
        ]
        to_seal = [
            (position, Plain(edit.namespace, row["namespace_id"], edit.key, row["type"], text))
            for position, (edit, row, text) in enumerate(zip(edits, resolved, texts, strict=True))
            if text is not None and (row["secret"] or edit.concealed)
        ]
        env_id = resolved[0]["env_id"] if resolved else 0
        sealed = self._secrets.seal(connection, env_id, env, [plain for _, plain in to_seal])
        for (position, _), kept in zip(to_seal, sealed, strict=True):
            texts[position], secrets[position] = None, kept
        return Values(texts, secrets if any(secrets) else ())

    def _declare(self, connection: Connection, caller: Caller, write: Write, terms: Terms) -> bool:
        """Declare the key if it is not there yet; tell whether it was not."""
        (edit,) = write.edits
        row = catalog_store.resolve_keys(connection, write.env, [(edit.namespace, edit.key)])[0]
        if row["env_id"] is None or row["namespace_id"] is None:
            return False  # resolve says which
        protected = bool(row["review_required"])
        _authorise(caller, terms, edit.namespace, write.env, protected)
        caller.require(Action.DECLARE, edit.namespace, None)
        declared = row["key_id"] is None and bool(declare(connection, caller, edit.namespace, [_declaration(write)]))
        if row["key_id"] is None:
            # Somebody may have declared it at the same moment, as something else.
            row = catalog_store.resolve_keys(connection, write.env, [(edit.namespace, edit.key)])[0]
        if row["type"] != write.declare_type:
            raise Conflict(f"{edit.namespace}/{edit.key} is declared as {row['type']}, and a key's type never changes")
        return declared


def _foreseen(row: Row) -> dict[str, object] | None:
    if row["to_fingerprint"] is not None:
        return {"version": row["to_version"], **answers.secret(None)}
    return answers.state(row["to_version"], row["to_value"])


def _declaration(write: Write) -> Declaration:
    (edit,) = write.edits
    return Declaration(edit.key, write.declare_type or "")


def _check_condition(condition: Condition, edits: Sequence[Edit]) -> None:
    if condition.version is not None and len(edits) != 1:
        raise Malformed("If-Match with one key's ETag goes with a write of that one key")
    if condition.cursor is not None and len({edit.namespace for edit in edits}) > 1:
        raise Malformed("If-Match with a scope's ETag goes with a write in one namespace")


def _authorise(caller: Caller, terms: Terms, namespace: str, env: str, protected: bool) -> None:
    if terms.dry_run and caller.may(Action.PROPOSE, namespace, env):
        return  # it shows what a proposal would show
    action = Action.BREAK_GLASS if terms.break_glass and protected else Action.WRITE
    caller.require(action, namespace, env, protected)


def _note(write: Write, terms: Terms) -> str:
    return ": ".join(part for part in (write.made_from, terms.note) if part)


def _leave(write: Write, terms: Terms, protected: bool) -> Leave:
    request, edition = write.request or (None, None)
    # Only who was seen to need it has been asked for the right to break it.
    break_glass = terms.break_glass if protected else None
    return Leave(request, edition, break_glass, preview=terms.dry_run)


def _replay(connection: Connection, env: str, env_id: int, revision: int, chain_hash: bytes, changed: bool) -> Outcome:
    rows = store.changes_of(connection, env_id, revision) if changed else []
    changes = [answers.stored_change(row) for row in rows]
    return Outcome(answers.written(env, revision, chain_hash, changes), replayed=True)
