"""The store on a database of its own."""

from collections.abc import Iterator

import pytest

from tests import fix_database
from tests.integration.store.world import World


@pytest.fixture
def world(database: fix_database.Database) -> Iterator[World]:
    """A fresh database with its store."""
    world = World(database)
    yield world
    world.store.close()
