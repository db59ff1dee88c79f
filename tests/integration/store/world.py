"""A small world for the store's tests: keys, commits in one line, and the chain computed anew from stored rows."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

from configsvc.store import catalog, releases
from configsvc.store.audit import Origin
from configsvc.store.database import Connection, Database, connect
from configsvc.store.releases import Commit, Committed, Idempotency, Leave
from tests import fix_database

ORIGIN = Origin("alice", "request-1", "127.0.0.1")


CHAIN = """
SELECT e.name AS env, r.*,
       (SELECT coalesce(json_agg(CASE WHEN v.value_id IS NULL
                                 THEN json_build_array(n.name, k.name, k.type, v.version, v.value)
                                 ELSE json_build_array(n.name, k.name, k.type, v.version, v.value,
                                                       v.value_id, v.fingerprint) END
                                 ORDER BY n.name COLLATE "C", k.name COLLATE "C"), '[]')
        FROM config_version v
        JOIN config_key k ON k.id = v.key_id
        JOIN namespace n ON n.id = k.namespace_id
        WHERE v.env_id = r.env_id AND v.revision = r.revision) AS changes
FROM release r JOIN environment e ON e.id = r.env_id
WHERE e.id = %s ORDER BY r.revision
"""


class World:
    """One test's database, as the service writes it (``store``) and as its superuser sees it."""

    def __init__(self, database: fix_database.Database) -> None:
        self.database = database
        self.store = Database(database.service_url)

    @contextmanager
    def superuser(self) -> Iterator[Connection]:
        """A connection that may do everything."""
        with connect(self.database.superuser_url) as connection:
            yield connection

    @contextmanager
    def above_the_law(self) -> Iterator[Connection]:
        """A superuser's connection on which no trigger fires."""
        with connect(self.database.superuser_url) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def query(self, statement: Any, *params: Any) -> list[dict[str, Any]]:
        """What a superuser reads."""
        with self.superuser() as connection:
            return connection.execute(statement, params).fetchall()

    def execute(self, statement: LiteralString, *params: Any) -> None:
        """What a superuser does."""
        with self.superuser() as connection:
            connection.execute(statement, params)

    def env_id(self, env: str) -> int:
        """The environment's id."""
        row = catalog.environment(self.store, env)
        assert row is not None
        return int(row["id"])

    def namespace(self, name: str) -> int:
        """Make a namespace; return its id."""
        return self._insert("INSERT INTO namespace (name, created_by) VALUES (%s, 'alice') RETURNING id", name)

    def key(self, namespace: str, name: str, type_: str = "int") -> int:
        """Declare a key; return its id."""
        return self._insert(
            "INSERT INTO config_key (namespace_id, name, type, created_by)"
            " SELECT id, %s, %s, 'alice' FROM namespace WHERE name = %s RETURNING id",
            *(name, type_, namespace),
        )

    def _insert(self, statement: LiteralString, *params: str) -> int:
        with self.store.connection() as connection:
            (row,) = connection.execute(statement, params).fetchall()
        return int(row["id"])

    def delete_key(self, namespace: str, name: str) -> bool:
        """Delete a key that has no value, as the service does it; tell whether it had none."""
        with self.store.transaction() as connection:
            return delete_key(connection, namespace, name)

    def commit(
        self,
        changes: Mapping[int, str | None],
        env: str = "development",
        *,
        origin: Origin = ORIGIN,
        idempotency: Idempotency | None = None,
        **more: Any,
    ) -> Committed:
        """Commit a release: value texts by key id."""
        with self.store.connection() as connection:
            return commit(connection, self.env_id(env), changes, origin=origin, idempotency=idempotency, **more)

    def versions(self, key_id: int, env: str = "development") -> list[dict[str, Any]]:
        """All versions of a key, oldest first."""
        return self.query(
            "SELECT * FROM config_version WHERE env_id = %s AND key_id = %s ORDER BY version", self.env_id(env), key_id
        )

    def check_history(self, env: str = "development") -> None:
        """Assert all that must hold of an environment's history, whoever wrote it."""
        revision, chain = self.revision(env), self.chain(env)
        assert [row["revision"] for row in chain] == list(range(revision + 1)), "gap-free"
        assert broken_links(chain) == [], "unforked, and as the rows say"
        times = [row["created_at"] for row in chain]
        assert all(earlier < later for earlier, later in itertools.pairwise(times)), "times grow"
        for row in self.query(
            "SELECT array_agg(version ORDER BY revision) AS versions, count(*) FILTER (WHERE is_active) AS active,"
            " (array_agg(is_active ORDER BY revision DESC))[1] AS newest FROM config_version WHERE env_id = %s"
            " GROUP BY key_id",
            self.env_id(env),
        ):
            first = row["versions"][0]
            assert row["versions"] == list(range(first, first + len(row["versions"]))), "versions count"
            assert row["active"] == 1
            assert row["newest"], "the newest version is the active one"

    def revision(self, env: str = "development") -> int:
        """The environment's revision."""
        return releases.revisions(self.store)[env]

    def chain(self, env: str = "development", connection: Connection | None = None) -> list[dict[str, Any]]:
        """An environment's releases, oldest first, each with the changes that its hash covers."""
        params = [self.env_id(env)]
        return connection.execute(CHAIN, params).fetchall() if connection else self.query(CHAIN, *params)


def delete_key(connection: Connection, namespace: str, name: str) -> bool:
    """Delete a key if it has a value nowhere."""
    key = catalog.lock_key(connection, namespace, name)
    assert key is not None
    if catalog.values_of_key(connection, key["id"]):
        return False
    catalog.delete_key(connection, key["id"])
    return True


def commit(
    connection: Connection,
    env_id: int,
    changes: Mapping[int, str | None],
    *,
    origin: Origin = ORIGIN,
    idempotency: Idempotency | None = None,
    **more: Any,
) -> Committed:
    """Commit a release on a connection."""
    # The glass matters in protected environments alone.
    terms = {"kind": "edit", "note": "", "definitions": [1] * len(changes), "leave": Leave(break_glass="a test")} | more
    release = Commit(env_id=env_id, key_ids=list(changes), values=list(changes.values()), **terms)
    return releases.commit(connection, release, origin, idempotency)


def broken_links(chain: Iterable[dict[str, Any]]) -> list[int]:
    """The revisions whose hash is not that of the previous one and of what is stored."""
    broken, previous = [], b""
    for row in chain:
        if row["revision"] > 0 and row["hash"] != hashlib.sha256(previous + content(row).encode()).digest():
            broken.append(row["revision"])
        previous = row["hash"]
    return broken


def content(row: Mapping[str, Any]) -> str:
    """What a release's hash covers, by other means than the database's: Python's JSON."""
    created_at = row["created_at"]
    micros = int(created_at.timestamp()) * 1_000_000 + created_at.microsecond
    head = ["configsvc/release/v1", row["env"], row["revision"], row["kind"], row["note"], row["created_by"], micros]
    changes = ",".join(json.dumps(change, ensure_ascii=False) for change in row["changes"])
    review = "" if row["review"] is None else ", " + json.dumps(row["review"], ensure_ascii=False)
    return json.dumps(head, ensure_ascii=False)[:-1] + f", [{changes}]{review}]"
