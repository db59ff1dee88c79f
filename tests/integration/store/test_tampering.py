"""Whatever a superuser did to history behind our back is found, and the first broken row of each chain is named."""

from collections.abc import Iterator
from typing import LiteralString

import pytest

from configsvc.service.verification import Head, examine, head_of
from configsvc.store.database import Connection
from configsvc.store.verification import Snapshot
from tests.integration.store import recorded
from tests.integration.store.world import World

CONTENT = "its content does not match its hash"
CHAINED = "its content, or the event before it, does not match its hash"


@pytest.fixture
def above(world: World) -> Iterator[Connection]:
    """A superuser on whom no trigger fires, and no foreign key."""
    recorded.write(world)
    with world.above_the_law() as connection:
        yield connection


def broken(connection: Connection, kept: Head | None = None) -> list[str]:
    """What verification finds in the state that a connection sees."""
    with connection.transaction():
        found = list(examine(Snapshot(connection), kept))
    return [line for findings in found if not findings.intact for line in findings.lines]


def release(revision: int, what: str = CONTENT, env: str = "development") -> str:
    """What is said of a release."""
    return f"{env}: release {revision}: {what}"


def event(event_id: int, what: str = CHAINED, env: str = "development") -> str:
    """What is said of an audit event."""
    return f"audit event {event_id} of {env}: {what}"


def scope(namespace: str, env: str = "development") -> str:
    """What is said of a scope."""
    return f"{env}: scope {namespace}: revision, keys or bytes are not what its versions add up to"


#: What is done, and what is said of it. Ids of events: 1 token.create, 2-4 and 6-8 releases of development, 5
#: environment.update, 9-10 refusals, 11-12 production's releases, with 13 request.void and 14 request.apply.
TAMPERING: tuple[tuple[LiteralString, list[str]], ...] = (
    ("UPDATE config_version SET value = '666' WHERE env_id = 1 AND revision = 2 AND value = '20'", [release(2)]),
    ("UPDATE config_version SET value = '60' WHERE env_id = 1 AND revision = 2 AND value = '20'", [release(2)]),
    ("UPDATE config_version SET version = 9 WHERE env_id = 1 AND value = '3'", [release(4)]),
    (
        "UPDATE config_version SET revision = 1 WHERE env_id = 1 AND value = '20'",
        [release(1), event(2, "the details are not those of release 1")],
    ),
    (
        "UPDATE config_version SET revision = 99 WHERE env_id = 1 AND value = '20'",
        [release(2), event(3, "the details are not those of release 2"), scope("search")],
    ),
    (
        "DELETE FROM config_version WHERE env_id = 1 AND value = '20'",
        [release(2), event(3, "the details are not those of release 2")],
    ),
    (
        (
            "INSERT INTO config_version SELECT env_id, namespace_id, key_id, 9, 3, '666', false, false, "
            "created_by, created_at FROM config_version WHERE env_id = 1 AND value = '20'"
        ),
        [
            release(3),
            "development: search/page_size: the newest version is not the active one",
            event(4, "the details are not those of release 3"),
        ],
    ),
    (
        (
            "INSERT INTO config_version SELECT env_id, namespace_id, key_id, 9, 7, '666', false, false, "
            "created_by, created_at FROM config_version WHERE env_id = 1 AND value = '20'"
        ),
        [
            release(7, "is not there, and its values are"),
            "development: search/page_size: the newest version is not the active one",
            scope("search"),
        ],
    ),
    (
        "UPDATE config_version SET created_by = 'mallory' WHERE env_id = 1 AND value = '20'",
        [release(2, "search/page_size is not as it was released")],
    ),
    (
        "UPDATE config_version SET created_at = 'infinity' WHERE env_id = 1 AND value = '20'",
        [release(2, "search/page_size is not as it was released")],
    ),
    ("UPDATE config_version SET namespace_id = 1 WHERE env_id = 1 AND value = '20'", [release(2)]),
    (
        "UPDATE config_key SET namespace_id = 1 WHERE name = 'page_size'",
        [release(2, "search/page_size is not as it was released")],
    ),
    (
        "UPDATE config_version SET is_active = false WHERE env_id = 1 AND value = '3'",
        ["development: payments/rate_limit: 0 versions are active", scope("payments")],
    ),
    (
        (
            "DROP INDEX config_version_active; UPDATE config_version SET is_active = (version = 1) WHERE "
            "env_id = 1 AND key_id = 3"
        ),
        ["development: search/page_size: the newest version is not the active one", scope("search")],
    ),
    (
        "DROP INDEX config_version_active; UPDATE config_version SET is_active = true WHERE env_id = 1 AND key_id = 3",
        ["development: search/page_size: 2 versions are active", scope("search")],
    ),
    ("UPDATE release SET note = 'never' WHERE env_id = 1 AND revision = 4", [release(4)]),
    (
        "UPDATE release SET review = NULL WHERE env_id = 3 AND revision = 1",
        [release(1, env="production"), event(11, "the details are not those of release 1", "production")],
    ),
    (
        "UPDATE release SET review = jsonb_set(review, '{approved_by}', '[\"eve\"]') WHERE env_id = 3 AND revision = 2",
        [release(2, env="production"), event(12, "the details are not those of release 2", "production")],
    ),
    (
        "UPDATE release SET namespaces = '{payments}' WHERE env_id = 1 AND revision = 2",
        [
            release(2, "its namespaces are not those of its changes"),
            event(3, "the namespaces are not those of release 2"),
        ],
    ),
    (
        "UPDATE release SET created_at = 'infinity' WHERE env_id = 1 AND revision = 2",
        [release(2), event(3, "the time is not that of release 2")],
    ),
    ("UPDATE release SET hash = sha256(hash) WHERE env_id = 1 AND revision = 0", [release(1)]),
    (
        "DELETE FROM release WHERE env_id = 1 AND revision = 3",
        [release(3, "is not there, and its values are"), event(4, "there is no release 3, or it has another event")],
    ),
    ("DELETE FROM release WHERE env_id = 1 AND revision = 0", [release(0, "is not there")]),
    (
        "DELETE FROM release WHERE env_id = 1 AND revision = 6",
        [
            release(6, "is not there, and its values are"),
            event(8, "there is no release 6, or it has another event"),
            "development: its revision is 6, and its last release is 5",
        ],
    ),
    (
        (
            "INSERT INTO release SELECT env_id, 7, hash, kind, note, namespaces, created_by, created_at, "
            "review FROM release WHERE env_id = 1 AND revision = 6"
        ),
        [release(7), "development: its revision is 6, and its last release is 7"],
    ),
    ("UPDATE environment SET revision = 5 WHERE id = 1", ["development: its revision is 5, and its last release is 6"]),
    ("UPDATE environment SET name = 'dev' WHERE id = 1", [release(1, env="dev"), event(2, env="dev")]),
    ("UPDATE audit_event SET actor = 'mallory' WHERE id = 3", [event(3)]),
    ("UPDATE audit_event SET namespaces = '{payments,search,spare}' WHERE id = 3", [event(3)]),
    ("UPDATE audit_event SET details = details || '{\"more\": 1}' WHERE id = 11", [event(11, env="production")]),
    ("UPDATE audit_event SET details = details - 'break_glass' WHERE id = 11", [event(11, env="production")]),
    ("UPDATE audit_event SET env_id = 2 WHERE id = 9", [event(9, env="no environment")]),
    ("UPDATE audit_event SET created_at = 'infinity' WHERE id = 1", [event(1, env="no environment")]),
    ("DELETE FROM audit_event WHERE id = 2", [release(1, "has no audit event"), event(3)]),
    ("DELETE FROM audit_event WHERE id = 8", [release(6, "has no audit event")]),
    (
        (
            "INSERT INTO audit_event (chain, env_id, revision, action, actor, request_id, address, "
            "namespaces, details, hash) SELECT chain, env_id, revision, action, actor, request_id, address, "
            "namespaces, details, sha256('x') FROM audit_event WHERE id = 8"
        ),
        [event(15)],
    ),
    ("UPDATE audit_event SET chain = 0 WHERE id = 5", [event(6), event(5, env="no environment")]),
    (
        "UPDATE audit_event SET chain = 2 WHERE chain = 3",
        [event(11, env="staging"), release(1, "has no audit event", "production")],
    ),
    ("UPDATE audit_event SET chain = 9 WHERE id = 10", ["environment 9: is not there, and audit events of it are"]),
    ("DELETE FROM audit_event WHERE chain = 1", [release(1, "has no audit event")]),
    ("UPDATE scope SET revision = 1 WHERE env_id = 1 AND namespace_id = 2", [scope("search")]),
    ("UPDATE scope SET keys = keys + 1 WHERE env_id = 1 AND namespace_id = 1", [scope("payments")]),
    ("UPDATE scope SET bytes = 1 WHERE env_id = 3", [scope("payments", "production")]),
    ("DELETE FROM scope WHERE env_id = 3", [scope("payments", "production")]),
    ("INSERT INTO scope VALUES (2, 1, 1, 1, 1)", [scope("payments", "staging")]),
    ("DELETE FROM config_key WHERE name = 'page_size'", [release(2), scope("search")]),
    ("DELETE FROM namespace WHERE name = 'search'", [release(2)]),
    (
        "DELETE FROM environment WHERE id = 3",
        [
            event(9, env="no environment"),
            "environment 3: is not there, and audit events, releases, scopes, values of it are",
        ],
    ),
)


def test_what_a_superuser_did_is_named(above: Connection) -> None:
    """The first broken row of each chain, and no row before it."""
    for statement, expected in TAMPERING:
        with above.transaction(force_rollback=True):
            above.execute(statement)
            assert sorted(broken(above)) == sorted(expected), statement
    assert broken(above) == []


def rehash(connection: Connection, chain: int, first: int) -> None:
    """Make the hashes of a chain right again from one event on, as a forger would."""
    for row in connection.execute(
        "SELECT a.id, c.name AS chain FROM audit_event a LEFT JOIN environment c ON c.id = a.chain"
        " WHERE a.chain = %s AND a.id >= %s ORDER BY a.id",
        [chain, first],
    ).fetchall():
        connection.execute(
            "UPDATE audit_event a SET hash = sha256(coalesce((SELECT b.hash FROM audit_event b WHERE b.chain = a.chain"
            " AND b.id < a.id ORDER BY b.id DESC LIMIT 1), '') || convert_to(audit_content(%s, (SELECT e.name FROM"
            " environment e WHERE e.id = a.env_id), a.revision, a.action, a.actor, a.request_id, a.address,"
            " a.namespaces, a.details, a.created_at), 'UTF8')) WHERE a.id = %s",
            [row["chain"] or "", row["id"]],
        )


def test_an_event_forged_with_its_own_hash_breaks_the_next_one(above: Connection) -> None:
    """A hash covers the one before."""
    above.execute("UPDATE audit_event SET request_id = 'another' WHERE id = 3")
    hashes = {row["id"]: row["hash"] for row in above.execute("SELECT id, hash FROM audit_event").fetchall()}
    rehash(above, 1, 3)
    for event_id in range(4, 9):
        above.execute("UPDATE audit_event SET hash = %s WHERE id = %s", [hashes[event_id], event_id])
    assert broken(above) == [
        "audit event 4 of development: its content, or the event before it, does not match its hash"
    ]


#: What contradicts the releases, even when all hashes are made right.
CONTRADICTIONS: tuple[tuple[LiteralString, int, str], ...] = (
    ("UPDATE audit_event SET actor = 'mallory' WHERE id = 3", 3, "the actor is not the author of release 2"),
    ("UPDATE audit_event SET action = 'release.undo' WHERE id = 3", 3, "the action is not the kind of release 2"),
    (
        "UPDATE audit_event SET created_at = created_at + interval '1 us' WHERE id = 3",
        3,
        "the time is not that of release 2",
    ),
    ("UPDATE audit_event SET namespaces = '{search}' WHERE id = 3", 3, "the namespaces are not those of release 2"),
    (
        "UPDATE audit_event SET details = jsonb_set(details, '{changes}', '7') WHERE id = 3",
        3,
        "the details are not those of release 2",
    ),
    (
        "UPDATE audit_event SET details = jsonb_set(details, '{hash}', '\"ff\"') WHERE id = 3",
        3,
        "the details are not those of release 2",
    ),
    (
        "UPDATE audit_event SET details = jsonb_build_object('changes', 2, 'namespaces', namespaces) WHERE id = 3",
        3,
        "the details are not those of release 2",
    ),
    ("UPDATE audit_event SET details = '[]' WHERE id = 3", 3, "the details are not those of release 2"),
    (
        "UPDATE audit_event SET details = jsonb_build_object('changes', repeat('9', 5000)::numeric) WHERE id = 3",
        3,
        "the details are not those of release 2",
    ),
    (
        "UPDATE audit_event SET details = details - 'break_glass' WHERE id = 11",
        11,
        "the details are not those of release 1",
    ),
    ("UPDATE audit_event SET revision = 99 WHERE id = 3", 3, "there is no release 99, or it has another event"),
    ("UPDATE audit_event SET revision = NULL WHERE id = 3", 3, "there is no release None, or it has another event"),
    (
        "UPDATE audit_event SET action = 'release.edit', revision = 1 WHERE id = 5",
        5,
        "there is no release 1, or it has another event",
    ),
    (
        "UPDATE audit_event SET action = 'release.edit', revision = 1, env_id = 1 WHERE id = 9",
        9,
        "a release stands in its environment's chain, not here",
    ),
)


def test_a_chain_forged_to_its_end_still_has_to_agree_with_the_releases(above: Connection) -> None:
    """Every release has one event, which says the same; and no event speaks of another."""
    for statement, event_id, what in CONTRADICTIONS:
        with above.transaction(force_rollback=True):
            (row,) = above.execute(statement + " RETURNING chain").fetchall()
            rehash(above, row["chain"], event_id)
            name = {0: "no environment", 1: "development", 3: "production"}[row["chain"]]
            assert f"audit event {event_id} of {name}: {what}" in broken(above), statement


def cut(connection: Connection, revision: int) -> None:
    """Take the end of development away without a trace, as somebody would who knows all of this."""
    connection.execute(
        "DELETE FROM audit_event WHERE chain = 1"
        " AND id >= (SELECT id FROM audit_event WHERE chain = 1 AND revision = %s)",
        [revision],
    )
    for table in ("release", "config_version"):
        connection.execute(f"DELETE FROM {table} WHERE env_id = 1 AND revision >= {revision:d}")
    connection.execute("UPDATE environment SET revision = %s - 1 WHERE id = 1", [revision])
    connection.execute(
        "UPDATE config_version v SET is_active = true WHERE env_id = 1 AND version ="
        " (SELECT max(version) FROM config_version m WHERE m.env_id = 1 AND m.key_id = v.key_id)"
    )
    connection.execute(
        "UPDATE scope s SET (revision, keys, bytes) = ("
        "SELECT max(v.revision), count(v.value) FILTER (WHERE v.is_active),"
        " sum(octet_length(k.name) + octet_length(v.value)) FILTER (WHERE v.is_active) FROM config_version v"
        " JOIN config_key k ON k.id = v.key_id WHERE v.env_id = 1 AND v.namespace_id = s.namespace_id) WHERE env_id = 1"
    )


def test_a_cut_tail_is_found_by_the_head_alone(above: Connection) -> None:
    """What was cut with care leaves no trace in the database."""
    kept = head_of(Snapshot(above))
    assert broken(above, kept) == []
    cut(above, 5)
    assert broken(above) == []
    assert broken(above, kept) == [
        f"development: release 6: is not there, and is in the head of {kept.at}",
        f"development: audit event 8: is not there, and is in the head of {kept.at}",
    ]


def test_a_chain_that_is_gone_is_found_by_the_head(above: Connection) -> None:
    """An environment with all of its rows; and the events of no environment."""
    kept = head_of(Snapshot(above))
    with above.transaction(force_rollback=True):
        for table in ("release", "config_version", "scope", "audit_event", "environment"):
            above.execute(f"DELETE FROM {table} WHERE {'id' if table == 'environment' else 'env_id'} = 3")
        rehash(above, 0, 1)
        assert broken(above) == []
        assert f"production: is not there, and is in the head of {kept.at}" in broken(above, kept)
    above.execute("DELETE FROM audit_event WHERE chain = 0")
    assert broken(above) == []
    assert broken(above, kept) == [f"no environment: audit event 10: is not there, and is in the head of {kept.at}"]


def test_a_chain_forged_to_its_end_is_found_by_the_head(above: Connection) -> None:
    """What contradicts nothing, and has its hashes made right."""
    kept = head_of(Snapshot(above))
    above.execute("UPDATE audit_event SET actor = 'mallory' WHERE id = 1")
    rehash(above, 0, 1)
    assert broken(above) == []
    assert broken(above, kept) == [f"no environment: audit event 10: its hash is not that in the head of {kept.at}"]
