"""Drafts: changes that somebody collects on the pages before they become one release, or one request.

A draft is of one session and one environment. Each change remembers the version that it was made on. Somebody else's
change of the same key is a conflict that its owner decides about; changes of other keys disturb nothing.

| | |
| --- | --- |
| a change comes in | after a dry run of it alone; a secret is sealed, as in a request |
| the draft is saved | one plan for the gate, made at one revision: made again where its namespaces have moved |
| a change is made again, or taken on | it gets a new number, so a draft that is no more what was shown is not saved |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from configsvc.domain import releases
from configsvc.domain.policy import Action
from configsvc.domain.releases import Edit
from configsvc.errors import Conflict, NotFound, PayloadTooLarge, RevisionMismatch, ValidationFailed
from configsvc.service.access import Caller, not_found
from configsvc.service.change_requests import ChangeRequests, Changes, Shown
from configsvc.service.releases import Releases
from configsvc.service.writes import Condition, Outcome, Terms, Write
from configsvc.store import drafts as store
from configsvc.store import secrets as secret_store
from configsvc.store.change_requests import lock_environment
from configsvc.store.database import Database, Row

#: As one body of the API, which is the other way to make a release.
CHANGES_MAX, BYTES_MAX = 1_000, 1024 * 1024


@dataclass(frozen=True)
class Draft:
    """The changes of one environment, each beside what it was made on and what is live at ``revision``."""

    env: str
    changes: Sequence[Row]

    @property
    def revision(self) -> int:
        """The newest one when this was read."""
        return max((row["revision"] for row in self.changes), default=0)

    @property
    def edition(self) -> str:
        """Names this very content: every change to it gives another one."""
        return f"{len(self.changes)}.{max((row['id'] for row in self.changes), default=0)}"

    @property
    def conflicts(self) -> Sequence[Row]:
        """The changes of keys that somebody else has changed since."""
        return [row for row in self.changes if row["live_version"] != row["base_version"] and not row["key_deleted"]]

    def edits(self) -> list[Edit]:
        """Return what is wanted; errors name each by the number of its change."""
        return [
            replace(releases.to_state(row["namespace"], row["name"], row), field=str(row["id"])) for row in self.changes
        ]


class Drafts:
    """Collects changes, and makes one release or one request of them."""

    def __init__(self, database: Database, gate: Releases, requests: ChangeRequests) -> None:
        self._database = database
        self._gate = gate
        self._requests = requests

    def counts(self, caller: Caller, session_id: bytes) -> Mapping[str, int]:
        """Return how many changes there are, by environment."""
        counts: dict[str, int] = {}
        for row in store.drafts(self._database, session_id):
            if caller.may(Action.READ, row["namespace"], row["env"]):
                counts[row["env"]] = counts.get(row["env"], 0) + row["changes"]
        return counts

    def names(self, session_id: bytes, namespace: str) -> frozenset[tuple[str, str]]:
        """Return which settings of a namespace are in drafts: environment and key."""
        return frozenset((row["env"], row["name"]) for row in store.names(self._database, session_id, namespace))

    def of(self, caller: Caller, session_id: bytes, env: str) -> Draft:
        """Return the draft of an environment, without what the caller may not read any more."""
        rows = store.changes(self._database, session_id, env)
        return Draft(env, [row for row in rows if caller.may(Action.READ, row["namespace"], env)])

    def add(self, caller: Caller, session_id: bytes, env: str, edit: Edit, base: int) -> bool:
        """Put one change into the draft, in place of an earlier one of its key; False where it would change nothing.

        ``base``: the active version that it was made on, 0 for none.

        Raises:
            RevisionMismatch: another version is active by now.
            PayloadTooLarge: the draft is full.
            NotFound, Forbidden, ValidationFailed: as the write itself would.
        """
        terms = Terms(condition=Condition(version=base), dry_run=True)
        write = Write(env, [edit])
        changes = bool(self._gate.commit(caller, write, terms).answer["changed"])
        with self._database.transaction() as connection:
            # As commits do: no data key is replaced meanwhile, and no key becomes a secret.
            if lock_environment(connection, env) is None:
                raise not_found(None, env)
            resolved = self._gate.resolve(connection, caller, write, terms)
            env_id, key_id = resolved[0]["env_id"], resolved[0]["key_id"]
            if not changes:
                store.take_out(connection, session_id, env_id, key_id)
                return False
            values = self._gate.values(connection, env, [edit], resolved)
            (text,), (secret,) = values.texts, values.secrets or [None]
            _check_size(*store.size(connection, session_id, env_id, key_id), text)
            if secret is not None:
                secret_store.keep(connection, [key_id], [secret])
            store.put(connection, session_id, env_id, key_id, text, secret, base)
        return True

    def take_out(self, session_id: bytes, change_ids: Sequence[int]) -> None:
        """Drop some changes of the draft."""
        store.drop(self._database, session_id, change_ids)

    def keep_mine(self, session_id: bytes, change_id: int, seen: int) -> None:
        """Decide a conflict: the change is wanted also in place of version ``seen``, which is live now."""
        store.rebase(self._database, session_id, change_id, seen)

    def preview(self, caller: Caller, draft: Draft) -> Mapping[str, object]:
        """Return what saving the draft would do; see ``save``."""
        terms = Terms(dry_run=True)
        return self._gate.commit(caller, Write(draft.env, _unopposed(draft)), terms).answer

    def save(self, caller: Caller, session_id: bytes, env: str, edition: str, note: str) -> Outcome:
        """Make one release of the draft, which is empty then.

        ``edition``: of the draft that the caller has seen.

        Raises:
            Conflict: the draft is another one by now.
            RevisionMismatch: somebody else has changed one of its keys.
            ValidationFailed: a change is not possible any more; the field is its number.
        """
        seen: list[Draft] = []

        def plan() -> Write:
            seen.append(self._seen(caller, session_id, env, edition))
            return Write(env, _unopposed(seen[-1]), base=seen[-1].revision)

        outcome = self._gate.commit_plan(caller, env, plan, Terms(note))
        self._done(session_id, seen[-1])
        return outcome

    def propose(self, caller: Caller, session_id: bytes, env: str, edition: str, note: str) -> Shown:
        """Open one request of the draft, which is empty then; see ``save``."""
        draft = self._seen(caller, session_id, env, edition)
        shown = self._requests.open(caller, env, Changes(_unopposed(draft)), note)
        self._done(session_id, draft)
        return shown

    def _seen(self, caller: Caller, session_id: bytes, env: str, edition: str) -> Draft:
        draft = self.of(caller, session_id, env)
        if not draft.changes:
            raise NotFound(f"your draft for {env} is empty")
        if draft.edition != edition:
            raise Conflict("your draft has changed since this page was opened: look at it again")
        return draft

    def _done(self, session_id: bytes, draft: Draft) -> None:
        store.drop(self._database, session_id, [row["id"] for row in draft.changes])


def _unopposed(draft: Draft) -> list[Edit]:
    """Return the edits of a draft where nobody else has changed the same keys, and all are declared still."""
    if gone := [row for row in draft.changes if row["key_deleted"]]:
        raise ValidationFailed([(f"{row['id']}.key", "it is not declared any more: take it out") for row in gone])
    if draft.conflicts:
        raise RevisionMismatch("somebody else has changed some of these settings since: decide about each of them")
    return draft.edits()


def _check_size(changes: int, size_bytes: int, text: str | None) -> None:
    if changes >= CHANGES_MAX:
        raise PayloadTooLarge(f"a draft holds {CHANGES_MAX} changes: save it first")
    if size_bytes + len((text or "").encode()) > BYTES_MAX:
        raise PayloadTooLarge(f"the values of a draft may have {BYTES_MAX} bytes together: save it first")
