"""A pytest fixture, to be imported where your tests can see it.

In a conftest.py, for example:

    from configclient.testing.fixtures import fake_config

    def test_a_lower_limit(fake_config):
        fake_config.push({"payments": {"rate_limit": 10}})
        assert shop(fake_config).orders_per_minute() == 10

It is no plugin that loads by itself, so that nothing appears in a test's namespace that its reader can't trace. For
values of your own, write the fixture yourself: it is one line around `FakeClient`.
"""

from collections.abc import Iterator

import pytest

from . import FakeClient

__all__ = ["fake_config"]


@pytest.fixture
def fake_config() -> Iterator[FakeClient]:
    """A `FakeClient` without values, closed after the test."""
    with FakeClient() as client:
        yield client
