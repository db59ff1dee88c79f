"""Going back: rollback of a key, restore of a scope, undo of one release. Each makes a new release.

A secret is put back by pointing to it: nothing is opened here.
"""

from dataclasses import replace

from configsvc.domain import releases
from configsvc.errors import Conflict, Hidden, NotFound
from configsvc.service.access import Caller
from configsvc.service.history import History
from configsvc.service.releases import Releases
from configsvc.service.writes import Outcome, Terms, Write
from configsvc.store import history as store
from configsvc.store.database import Database


class Plans:
    """Plans from history what the gate then commits."""

    def __init__(self, database: Database, history: History, gate: Releases) -> None:
        self._database = database
        self._history = history
        self._gate = gate

    def rollback(self, caller: Caller, namespace: str, env: str, key: str, version: int, terms: Terms) -> Outcome:
        """Give a key the value that it had in ``version``, as a new version; a deleted one deletes it."""

        def plan() -> Write:
            self._gate.authorise(caller, env, [namespace], terms)
            row = store.version(self._database, namespace, env, key, version)
            if row is None:
                raise NotFound(f"{namespace}/{key} has no version {version} in {env} that you may see")
            # The path names the key: no field of the body does.
            return Write(env, [replace(releases.to_state(namespace, key, row), field="")], "rollback")

        return self._gate.commit_plan(caller, env, plan, terms)

    def restore(self, caller: Caller, namespace: str, env: str, revision: int, terms: Terms) -> Outcome:
        """Make a scope what it was at ``revision``, as one new release."""

        def plan() -> Write:
            self._gate.authorise(caller, env, [namespace], terms)
            difference = self._history.compare(caller, namespace, env, revision, None)
            edits = releases.restore(namespace, difference.rows)
            return Write(env, edits, "restore", base=difference.to, namespace=namespace)

        return self._gate.commit_plan(caller, env, plan, terms)

    def restore_env(self, caller: Caller, env: str, revision: int, terms: Terms) -> Outcome:
        """Make an environment what it was at ``revision``, all namespaces as one new release.

        Raises:
            Hidden: a part of what changed since is not for the caller to read.
            Conflict: it is like that already.
        """

        def plan() -> Write:
            difference = self._history.compare_env(caller, env, revision, None)
            self._gate.authorise(caller, env, sorted(difference.scopes), terms)
            if not difference.whole:
                raise Hidden(f"{env} can be restored only by somebody who may read all that changed in it")
            if not difference.scopes:
                raise Conflict(f"{env} is as it was at release {revision}: there is nothing to restore")
            edits = [edit for name, rows in difference.scopes.items() for edit in releases.restore(name, rows)]
            return Write(env, edits, "restore", base=difference.to)

        return self._gate.commit_plan(caller, env, plan, terms)

    def undo(self, caller: Caller, env: str, revision: int, terms: Terms) -> Outcome:
        """Put back what one release changed, and nothing else, as a new release.

        Raises:
            Conflict: later releases touched the same keys; ``conflicts`` names them.
        """

        def plan() -> Write:
            release, changes = self._history.release(caller, env, revision)
            self._gate.authorise(caller, env, sorted({change["namespace"] for change in changes}), terms)
            # What the caller can't read it can't undo either.
            rows = store.undoing(self._database, int(str(release["env_id"])), revision)
            if len(rows) != len(changes):
                raise Hidden(f"release {revision} of {env} can be undone only by somebody who may read all of it")
            return Write(env, releases.undo(revision, rows), "undo", base=rows[0]["newest"])

        return self._gate.commit_plan(caller, env, plan, terms)
