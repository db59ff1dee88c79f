"""Who forges with care makes the hashes right again: contradictions and heads still find it."""

from typing import LiteralString

from configsvc.service.verification import head_of
from configsvc.store.database import Connection
from configsvc.store.verification import Snapshot
from tests.integration.store.recorded import broken


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
