"""Whatever a superuser did to history behind our back is found, and the first broken row of each chain is named."""

from typing import LiteralString

from configsvc.store.database import Connection
from tests.integration.store.recorded import broken

CONTENT = "its content does not match its hash"
CHAINED = "its content, or the event before it, does not match its hash"


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
