"""The chain of hashes: computed anew from what is stored, it finds what a superuser changed."""

from typing import LiteralString

import pytest

from tests.integration.store.world import World, broken_links


@pytest.fixture
def written(world: World) -> World:
    """Four releases over two namespaces, with a delete."""
    world.namespace("payments")
    world.namespace("search")
    limit, size = world.key("payments", "rate_limit"), world.key("search", "page_size")
    world.commit({limit: "1"}, note="one")
    world.commit({limit: "2", size: "20"}, note="two")
    world.commit({limit: None}, note="three")
    world.commit({size: "30"}, note="four")
    return world


def test_an_untouched_chain_holds(written: World) -> None:
    """Every hash is that of the one before and of the release's rows."""
    assert broken_links(written.chain()) == []


TAMPERING: tuple[LiteralString, ...] = (
    "UPDATE config_version SET value = '666' WHERE revision = 2 AND value = '20'",
    "UPDATE config_version SET value = '666', deleted = false WHERE revision = 2 AND value = '2'",
    "UPDATE config_version SET version = 9 WHERE revision = 2 AND value = '2'",
    "DELETE FROM config_version WHERE revision = 2 AND value = '20'",
    "UPDATE config_version SET revision = 1 WHERE revision = 2 AND value = '20'",
    "UPDATE release SET note = 'never' WHERE revision = 2",
    "UPDATE release SET kind = 'import' WHERE revision = 2",
    "UPDATE release SET created_by = 'mallory' WHERE revision = 2",
    "UPDATE release SET created_at = created_at + interval '1 microsecond' WHERE revision = 2",
    "UPDATE release SET hash = sha256(hash) WHERE revision = 2",
    "UPDATE config_key SET type = 'string' WHERE name = 'page_size'",
    "UPDATE config_key SET name = 'pagesize' WHERE name = 'page_size'",
    "UPDATE namespace SET name = 'find' WHERE name = 'search'",
    "UPDATE environment SET name = 'dev' WHERE name = 'development'",
)


def test_tampering_breaks_the_chain(written: World) -> None:
    """At the release that was changed, at the latest."""
    with written.above_the_law() as connection:
        for statement in TAMPERING:
            with connection.transaction(force_rollback=True):
                assert connection.execute(statement).rowcount == 1, statement
                broken = broken_links(written.chain(connection=connection))
                assert broken, statement
                assert broken[0] <= 2, statement


def test_a_deleted_value_is_not_the_text_null(world: World) -> None:
    """JSON's null, the string "null" and no value at all have three hashes."""
    world.namespace("payments")
    key = world.key("payments", "odd", "json")
    for value in ("null", '"null"', None):
        world.commit({key: value})
    assert [change[4] for row in world.chain() for change in row["changes"]] == ["null", '"null"', None]
    world.check_history()
