"""What one commit does, and what it refuses. Nothing is written by a refused one."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from configsvc.domain import cursors
from configsvc.errors import Conflict, PayloadTooLarge, RevisionMismatch, StalePlan
from configsvc.store import config
from configsvc.store.releases import Idempotency
from tests.integration.store.world import ORIGIN, World, commit

REQUEST = Idempotency("retry-1", "PUT /v1/namespaces/payments/envs/development/config/rate_limit", b"hash of the body")


@pytest.fixture
def key(world: World) -> int:
    """payments/rate_limit."""
    world.namespace("payments")
    return world.key("payments", "rate_limit")


def test_a_commit_makes_a_revision_a_version_and_all_that_follows(world: World, key: int) -> None:
    """One release: history, label, audit row and outbox row say the same."""
    made = world.commit({key: "100"}, note="first")
    assert (made.revision, made.versions, made.replayed) == (1, {key: 1}, False)
    active = config.active(world.store, "payments", "development", "rate_limit")
    assert active is not None
    assert (active["value"], active["version"], active["revision"], active["hash"]) == ("100", 1, 1, made.hash)
    label = config.scope_label(world.store, "payments", "development")
    assert label is not None
    assert (label["revision"], label["hash"]) == (1, made.hash)
    assert [row["revision"] for row in world.query("SELECT * FROM outbox")] == [1]
    (audit,) = world.query("SELECT * FROM audit_event")
    assert (audit["action"], audit["actor"], audit["revision"]) == ("release.edit", "alice", 1)
    world.check_history()


def test_environments_count_for_themselves(world: World, key: int) -> None:
    """A release in one environment moves no other one."""
    world.commit({key: "1"})
    world.commit({key: "2"})
    assert world.commit({key: "3"}, "production").revision == 1
    assert world.revision("development") == 2
    assert world.revision("staging") == 0


def test_two_environments_begin_with_different_hashes(world: World) -> None:
    """Empty histories never share a cursor."""
    hashes = {row["hash"] for row in world.query("SELECT hash FROM release WHERE revision = 0")}
    assert len(hashes) == 3


def test_a_release_over_two_namespaces_is_one_revision(world: World, key: int) -> None:
    """All of its changes carry the same revision, and both scopes stand at it."""
    world.namespace("search")
    other = world.key("search", "page_size")
    made = world.commit({other: "20", key: "100"})
    assert made.versions == {key: 1, other: 1}
    labels = config.labels(world.store, "development", ["payments", "search"], have=None)
    assert labels is not None
    assert {name: scope[1] for name, scope in labels["scopes"].items()} == {"payments": 1, "search": 1}
    assert world.query("SELECT namespaces FROM release WHERE revision = 1")[0]["namespaces"] == ["payments", "search"]
    world.check_history()


@pytest.mark.parametrize("env", ["development", "production"])
def test_setting_the_same_value_changes_nothing(world: World, key: int, env: str) -> None:
    """A no-op names the current release and leaves no trace."""
    first = world.commit({key: "100"}, env)
    again = world.commit({key: "100"}, env)
    assert (again.revision, again.hash, again.versions) == (first.revision, first.hash, {})
    assert len(world.query("SELECT * FROM audit_event")) == 1
    assert world.revision(env) == 1


def test_a_batch_names_only_what_it_changes(world: World, key: int) -> None:
    """Values that are already there make no version."""
    other = world.key("payments", "timeout")
    world.commit({key: "1", other: "2"})
    assert world.commit({key: "1", other: "3"}).versions == {other: 2}


@pytest.mark.parametrize(("before", "after"), [("0.0", "-0.0"), ('"a"', '"A"'), ('"é"', '"e\u0301"'), ("1.0", "1")])
def test_values_are_compared_as_text(world: World, before: str, after: str) -> None:
    """What differs in any character is another value."""
    world.namespace("payments")
    key = world.key("payments", "odd", "json")
    world.commit({key: before})
    assert world.commit({key: after}).versions == {key: 2}


def test_a_delete_is_a_version(world: World, key: int) -> None:
    """The key has no value from then on; its past stays."""
    world.commit({key: "100"})
    assert world.commit({key: None}).versions == {key: 2}
    env_id, namespace_id = world.env_id("development"), world.query("SELECT id FROM namespace")[0]["id"]
    assert config.scope_at(world.store, env_id, namespace_id, 2) == []
    assert [row["value"] for row in config.scope_at(world.store, env_id, namespace_id, 1)] == ["100"]
    world.check_history()


def test_deleting_what_was_never_set_changes_nothing(world: World, key: int) -> None:
    """Absent is absent."""
    assert world.commit({key: None}).versions == {}
    assert world.revision() == 0


def test_there_and_back_is_three_versions(world: World, key: int) -> None:
    """Going back to an old value makes a new version."""
    for value in ("1", "2", "1"):
        world.commit({key: value})
    assert [(row["version"], row["value"]) for row in world.versions(key)] == [(1, "1"), (2, "2"), (3, "1")]


def test_a_key_declared_again_goes_on_counting(world: World, key: int) -> None:
    """`v3` never names two values, although the key has another type now; the past keeps its own."""
    world.commit({key: "100"})
    world.commit({key: None})
    assert world.delete_key("payments", "rate_limit")
    again = world.key("payments", "rate_limit", "string")
    assert world.commit({again: '"many"'}).versions == {again: 3}
    assert world.commit({again: '"most"'}).versions == {again: 4}
    assert world.commit({again: '"few"'}, "production").versions == {again: 1}
    env_id, namespace_id = world.env_id("development"), world.query("SELECT id FROM namespace")[0]["id"]
    then, now = (config.scope_at(world.store, env_id, namespace_id, revision) for revision in (1, 3))
    assert [(row["name"], row["type"], row["value"]) for row in then] == [("rate_limit", "int", "100")]
    assert [(row["name"], row["type"], row["value"]) for row in now] == [("rate_limit", "string", '"many"')]
    world.check_history()


def test_a_key_is_deleted_only_without_a_value(world: World, key: int) -> None:
    """A value in any environment keeps it."""
    world.commit({key: "1"}, "production")
    assert not world.delete_key("payments", "rate_limit")
    world.commit({key: None}, "production")
    assert world.delete_key("payments", "rate_limit")


def test_a_deleted_key_takes_no_value(world: World, key: int) -> None:
    """The plan of whoever found the key before it was deleted is stale."""
    world.delete_key("payments", "rate_limit")
    with pytest.raises(StalePlan):
        world.commit({key: "1"})
    assert world.revision() == 0


def test_a_key_that_was_defined_anew_takes_no_value_checked_by_the_old_definition(world: World, key: int) -> None:
    """A value that was valid may not be any more."""
    world.execute("UPDATE config_key SET definition = 2")
    with pytest.raises(StalePlan):
        world.commit({key: "1"})
    assert world.commit({key: "1"}, definitions=[2]).revision == 1


def test_one_deleted_key_refuses_the_whole_release(world: World, key: int) -> None:
    """All or nothing."""
    gone = world.key("payments", "gone")
    world.delete_key("payments", "gone")
    with pytest.raises(StalePlan):
        world.commit({key: "1", gone: "1"})
    assert world.versions(key) == []


def test_an_unknown_environment_is_refused(world: World, key: int) -> None:
    """It says so."""
    with pytest.raises(Conflict, match="no such environment"), world.store.connection() as connection:
        commit(connection, 999, {key: "1"})


@pytest.mark.parametrize(("asked", "holds"), [(2, True), (1, False), (0, False), (3, False)])
def test_if_match_of_a_key(world: World, key: int, asked: int, holds: bool) -> None:
    """It holds for the active version alone."""
    world.commit({key: "1"})
    world.commit({key: "2"})
    if holds:
        assert world.commit({key: "3"}, if_key_version=asked).versions == {key: 3}
        return
    with pytest.raises(RevisionMismatch):
        world.commit({key: "3"}, if_key_version=asked)
    assert world.revision() == 2


def test_if_match_of_an_unset_key_is_version_0(world: World, key: int) -> None:
    """Never set and deleted are the same: no value."""
    world.commit({key: "1"}, if_key_version=0)
    world.commit({key: None})
    with pytest.raises(RevisionMismatch):
        world.commit({key: "2"}, if_key_version=2)
    world.commit({key: "2"}, if_key_version=0)


def test_if_match_of_a_scope(world: World, key: int) -> None:
    """It holds while the scope is unchanged, whatever happens in the rest of the environment."""
    world.namespace("search")
    other = world.key("search", "page_size")
    payments = world.query("SELECT id FROM namespace WHERE name = 'payments'")[0]["id"]
    empty = config.scope_label(world.store, "payments", "development")
    assert empty is not None
    first = world.commit({key: "1"}, if_scope=payments, if_cursor=cursors.render(0, empty["hash"]))
    world.commit({other: "20"})
    cursor = cursors.render(1, first.hash)
    world.commit({key: "2"}, if_scope=payments, if_cursor=cursor)
    with pytest.raises(RevisionMismatch):
        world.commit({key: "3"}, if_scope=payments, if_cursor=cursor)
    with pytest.raises(RevisionMismatch):
        world.commit({key: "3"}, if_scope=payments, if_cursor="3.0000000000000000")
    assert world.revision() == 3


def test_a_plan_whose_base_moved_is_stale(world: World, key: int) -> None:
    """Only the namespaces that the plan was made from count."""
    world.namespace("search")
    other = world.key("search", "page_size")
    ids = {row["name"]: row["id"] for row in world.query("SELECT id, name FROM namespace")}
    world.commit({key: "1"})
    world.commit({other: "20"})
    world.commit({key: "2"}, base=1, base_namespaces=[ids["payments"]])
    with pytest.raises(StalePlan):
        world.commit({key: "3"}, base=1, base_namespaces=[ids["payments"], ids["search"]])
    assert world.revision() == 3


def test_the_same_request_is_answered_as_the_first_time(world: World, key: int) -> None:
    """A repeated request writes nothing, even though the world has moved on."""
    first = world.commit({key: "1"}, idempotency=REQUEST)
    world.commit({key: "2"})
    assert world.commit({key: "1"}, idempotency=REQUEST) == replace(first, replayed=True)
    assert world.revision() == 2


def test_a_repeated_no_op_is_answered_as_the_first_time(world: World, key: int) -> None:
    """Also when the value has changed since: the request was answered already."""
    world.commit({key: "1"})
    first = world.commit({key: "1"}, idempotency=REQUEST)
    world.commit({key: "2"})
    assert world.commit({key: "1"}, idempotency=REQUEST) == replace(first, replayed=True)


def test_a_replay_looks_at_no_condition(world: World, key: int) -> None:
    """The condition held when the request was carried out."""
    world.commit({key: "1"}, idempotency=REQUEST, if_key_version=0)
    assert world.commit({key: "1"}, idempotency=REQUEST, if_key_version=0).replayed


def test_the_same_idempotency_key_with_another_body_is_refused(world: World, key: int) -> None:
    """It would answer a question that was not asked."""
    world.commit({key: "1"}, idempotency=REQUEST)
    with pytest.raises(Conflict, match="Idempotency-Key"):
        world.commit({key: "2"}, idempotency=replace(REQUEST, body_hash=b"another"))
    assert world.revision() == 1


def test_idempotency_keys_belong_to_a_caller_and_a_request(world: World, key: int) -> None:
    """Two callers, or two paths, may choose the same key."""
    world.commit({key: "1"}, idempotency=REQUEST)
    assert not world.commit({key: "2"}, idempotency=REQUEST, origin=ORIGIN._replace(actor="bob")).replayed
    assert not world.commit({key: "3"}, idempotency=replace(REQUEST, request="DELETE /other")).replayed


def test_an_idempotency_key_is_free_again_after_24_hours(world: World, key: int) -> None:
    """With any body; and from then on it stands for the new request."""
    world.commit({key: "1"}, idempotency=REQUEST)
    world.execute("UPDATE idempotency SET created_at = created_at - interval '24 hours 1 second'")
    other = replace(REQUEST, body_hash=b"another")
    assert not world.commit({key: "2"}, idempotency=other).replayed
    assert world.commit({key: "2"}, idempotency=other).replayed


def test_a_refused_request_may_be_repeated(world: World, key: int) -> None:
    """An error is not remembered: the next try is judged anew."""
    with pytest.raises(RevisionMismatch):
        world.commit({key: "1"}, idempotency=REQUEST, if_key_version=7)
    assert not world.commit({key: "1"}, idempotency=REQUEST, if_key_version=0).replayed


def test_a_repeated_request_that_overtakes_the_first_waits_for_it(world: World, key: int) -> None:
    """Eight at once: one writes, seven replay."""
    barrier = threading.Barrier(8)

    def send(_: int) -> tuple[int, bool]:
        barrier.wait(10)
        made = world.commit({key: "1"}, idempotency=REQUEST)
        return made.revision, made.replayed

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(answers) == [(1, False)] + [(1, True)] * 7


def test_a_scope_holds_10000_keys_and_no_more(world: World, key: int) -> None:
    """The largest release fits, the next key does not; deleting one makes room."""
    with world.superuser() as connection:
        rows = connection.execute(
            "INSERT INTO config_key (namespace_id, name, type, created_by)"
            " SELECT namespace_id, 'k' || n, 'int', 'alice' FROM config_key, generate_series(1, 10000) n RETURNING id"
        ).fetchall()
    ids = [row["id"] for row in rows]
    assert len(world.commit(dict.fromkeys(ids, "1")).versions) == 10_000
    with pytest.raises(PayloadTooLarge, match="10,000 keys"):
        world.commit({key: "1"})
    world.commit({ids[0]: None})
    world.commit({key: "1"})
    with pytest.raises(PayloadTooLarge, match="10,000 keys"):
        world.commit({ids[0]: "1"})
    assert world.revision() == 3
    world.check_history()


def test_a_scope_holds_16_mib_and_no_more(world: World) -> None:
    """Names and values count; what is gone counts no more."""
    world.namespace("payments")
    keys = [world.key("payments", f"blob-{number:02}", "string") for number in range(65)]
    text = '"' + "x" * (256 * 1024 - 2 - len("blob-00")) + '"'
    world.commit(dict.fromkeys(keys[:64], text))
    with pytest.raises(PayloadTooLarge, match="16 MiB"):
        world.commit(dict.fromkeys(keys[64:], text))
    world.commit({keys[0]: None, keys[64]: text})
    world.check_history()


@pytest.mark.parametrize("odd", ['"\\\n\t\x01\x7f', "\u2028 ' -- ; $$ %s {0}", "🎉 ﷺ e\u0301", "", "],[" * 50])
def test_odd_characters_are_kept_and_hashed(world: World, odd: str) -> None:
    """Note, author and value come back as they were, and the chain recomputes."""
    world.namespace("payments")
    key = world.key("payments", "odd", "json")
    world.commit({key: odd}, note=odd, origin=ORIGIN._replace(actor=odd or "nobody"))
    (_, release) = world.chain()
    assert (release["note"], release["created_by"]) == (odd, odd or "nobody")
    assert world.versions(key)[0]["value"] == odd
    world.check_history()


def test_time_grows_even_when_the_clock_does_not(world: World, key: int) -> None:
    """A release is one microsecond after the last one at least, whatever the clock says."""
    world.commit({key: "1"})
    future = datetime.now(UTC) + timedelta(hours=1)
    with world.above_the_law() as connection:
        connection.execute("UPDATE release SET created_at = %s WHERE revision = 1", [future])
    world.commit({key: "2"})
    (release,) = world.query("SELECT created_at FROM release WHERE revision = 2")
    assert release["created_at"] == future + timedelta(microseconds=1)


def test_listeners_get_a_hint(world: World, key: int) -> None:
    """Environment and revision, never data."""
    with psycopg.connect(world.database.service_url, autocommit=True) as listener:
        listener.execute("LISTEN configsvc")
        world.commit({key: "1"})
        (notify,) = listener.notifies(timeout=10, stop_after=1)
    assert notify.payload == "development:1"


def test_a_rolled_back_commit_leaves_no_trace(world: World, key: int) -> None:
    """A dry run is a commit that is taken back."""
    with world.store.connection() as connection, connection.transaction(force_rollback=True):
        assert commit(connection, world.env_id("development"), {key: "1"}).revision == 1
    assert world.revision() == 0
    assert world.versions(key) == []


def test_a_refusal_within_a_transaction_takes_all_of_it_back(world: World, key: int) -> None:
    """What was declared for it goes too."""

    def declare_and_set() -> None:
        with world.store.transaction() as connection:
            connection.execute(
                "INSERT INTO config_key (namespace_id, name, type, created_by)"
                " SELECT namespace_id, 'new', 'int', 'alice' FROM config_key"
            )
            commit(connection, world.env_id("development"), {key: "1"}, if_key_version=5)

    with pytest.raises(RevisionMismatch):
        declare_and_set()
    assert len(world.query("SELECT * FROM config_key")) == 1
