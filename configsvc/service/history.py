"""What was, who changed it, and what differs: every state can be named and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from configsvc.domain import cursors
from configsvc.domain.policy import Action
from configsvc.errors import Hidden, NotFound
from configsvc.service.access import Caller, not_found
from configsvc.service.bodies import Bodies, Label
from configsvc.service.reading import Scope
from configsvc.store import catalog as catalog_store
from configsvc.store import history as store
from configsvc.store.database import Database, Row
from configsvc.store.releases import changes_of


@dataclass(frozen=True)
class Difference:
    """A scope at two revisions, and the keys that differ."""

    from_: int
    to: int
    rows: Sequence[Row]


@dataclass(frozen=True)
class EnvDifference:
    """An environment at two revisions: the keys that differ, by namespace. ``whole``: the caller may read all of it."""

    from_: int
    to: int
    scopes: Mapping[str, Sequence[Row]]
    whole: bool


class History:
    """Answers what was."""

    def __init__(self, database: Database, bodies: Bodies) -> None:
        self._database = database
        self._bodies = bodies

    def scope(self, caller: Caller, namespace: str, env: str, moment: int | datetime) -> Scope:
        """Find a scope as it was at a revision or at a time."""
        caller.require(Action.READ, namespace, env)
        release = self._release(env, moment)
        last = store.scope_last(self._database, release["env_id"], namespace, release["revision"])
        if last is None:
            raise not_found(namespace, env)
        cursor = cursors.render(last["revision"], last["hash"])
        label = Label(release["env_id"], last["namespace_id"], last["revision"], cursor, env, namespace)
        return Scope(label, masked=not caller.may(Action.READ_SECRETS, namespace, env))

    def versions(
        self, caller: Caller, namespace: str, env: str, key: str, before: int, limit: int
    ) -> tuple[Sequence[Row], int | None]:
        """Return a page of one key's versions, newest first, and where the next page begins."""
        caller.require(Action.READ, namespace, env)
        rows = store.versions(self._database, namespace, env, key, before, limit)
        if not rows:  # no versions, or nothing that could have some?
            self._release(env, 0)
            if catalog_store.key(self._database, namespace, key) is None:
                raise NotFound(f"there is no key {key} in {namespace}, or you have no grant there")
        return rows, rows[-1]["revision"] if len(rows) == limit else None

    def releases(
        self, caller: Caller, env: str, namespace: str | None, before: int, limit: int
    ) -> tuple[Sequence[Mapping[str, Any]], int | None]:
        """Return a page of the releases that touch what the caller may read, newest first."""
        caller.require(Action.READ, namespace, env)
        self._release(env, 0)
        if namespace is not None:
            self._namespace_id(namespace, env)
        rows = store.releases(self._database, env, namespace, before, limit)
        visible = [seen for row in rows if (seen := _visible(caller, env, row))]
        return visible, rows[-1]["revision"] if len(rows) == limit else None

    def changed(self, env: str, releases: Sequence[Mapping[str, Any]], limit: int) -> Mapping[int, Sequence[Row]]:
        """Return the first settings that each release changed, ``limit`` at most, by revision.

        ``releases``: as the caller sees them. Settings of their namespaces alone are returned.
        """
        namespaces = {name for release in releases for name in release["namespaces"]}
        rows = store.changed(
            self._database, env, [release["revision"] for release in releases], sorted(namespaces), limit
        )
        return {revision: list(each) for revision, each in groupby(rows, itemgetter("revision"))}

    def visible(self, caller: Caller, env: str, revision: int) -> Row:
        """Return one release, with those of its namespaces that the caller may read."""
        caller.require(Action.READ, None, env)
        row = store.release(self._database, env, revision)
        visible = row and _visible(caller, env, row)
        if not visible:
            raise _no_release(env, revision)
        return visible

    def release(self, caller: Caller, env: str, revision: int) -> tuple[Mapping[str, object], Sequence[Row]]:
        """Return one release and its changes, as far as the caller may read them."""
        visible = self.visible(caller, env, revision)
        with self._database.connection() as connection:
            changes = changes_of(connection, visible["env_id"], revision)
        return visible, [change for change in changes if caller.may(Action.READ, change["namespace"], env)]

    def compare(self, caller: Caller, namespace: str, env: str, from_: int, to: int | None) -> Difference:
        """Return what differs in a scope between two revisions; ``to`` None is the newest."""
        caller.require(Action.READ, namespace, env)
        start = self._release(env, from_)
        end = start["newest"] if to is None else self._release(env, to)["revision"]
        namespace_id = self._namespace_id(namespace, env)
        return Difference(from_, end, store.compare(self._database, start["env_id"], namespace_id, from_, end))

    def compare_env(self, caller: Caller, env: str, from_: int, to: int | None) -> EnvDifference:
        """Return what differs in an environment between two revisions; ``to`` None is the newest."""
        caller.require(Action.READ, None, env)
        start = self._release(env, from_)
        end = start["newest"] if to is None else self._release(env, to)["revision"]
        touched = store.touched(self._database, start["env_id"], from_, end)
        readable = [namespace for namespace in touched if caller.may(Action.READ, namespace, env)]
        scopes = {namespace: self.compare(caller, namespace, env, from_, end).rows for namespace in readable}
        return EnvDifference(
            from_, end, {namespace: rows for namespace, rows in scopes.items() if rows}, len(readable) == len(touched)
        )

    def revision_at(self, caller: Caller, env: str, moment: int | datetime) -> int:
        """Return the newest revision of an environment at a moment; of a revision, itself.

        Raises:
            NotFound: there is no such revision, or no environment at that time.
        """
        caller.require(Action.READ, None, env)
        return int(self._release(env, moment)["revision"])

    def _release(self, env: str, moment: int | datetime) -> Row:
        if isinstance(moment, int):
            row = store.release_by_revision(self._database, env, moment)
        else:
            row = store.release_at(self._database, env, moment)
        if row is None:
            raise not_found(None, env)
        if row["revision"] is None:
            if isinstance(moment, int):
                raise _no_release(env, moment, newest=row["newest"])
            raise NotFound(f"the environment {env} did not exist at that time")
        return row

    def _namespace_id(self, namespace: str, env: str) -> int:
        namespace_id = store.namespace_id(self._database, namespace)
        if namespace_id is None:
            raise not_found(namespace, env)
        return namespace_id


def _visible(caller: Caller, env: str, row: Row) -> Row | None:
    """Return the release without the namespaces that the caller may not read; None if nothing is left."""
    namespaces = [name for name in row["namespaces"] if caller.may(Action.READ, name, env)]
    return {**row, "namespaces": namespaces} if namespaces else None


def _no_release(env: str, revision: int, newest: int | None = None) -> Hidden:
    hint = "" if newest is None else f": the newest is {newest}"
    return Hidden(f"{env} has no revision {revision} that you may see{hint}")
