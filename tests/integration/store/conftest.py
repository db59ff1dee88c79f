"""The store on a database of its own."""

from collections.abc import Iterator

import pytest

from configsvc.store.database import Connection
from tests import fix_database
from tests.integration.store import recorded
from tests.integration.store.world import World


@pytest.fixture
def world(database: fix_database.Database) -> Iterator[World]:
    """A fresh database with its store."""
    world = World(database)
    yield world
    world.store.close()


@pytest.fixture
def above(world: World) -> Iterator[Connection]:
    """A history with everything that a chain can hold, and a superuser on whom no trigger fires, and no foreign key."""
    recorded.write(world)
    with world.above_the_law() as connection:
        yield connection
