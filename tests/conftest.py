"""Fixtures for all tests, by concern: each module says what it gives."""

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.fix_servers", "tests.fix_database", "tests.fix_stack"]

# Shells start what they put into the background deaf to Ctrl-C, and every program that a test starts would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One of the workers of `make coverage`.
if "PYTEST_XDIST_WORKER" in os.environ and os.environ.pop("COVERAGE_PROCESS_CONFIG", None):
    os.environ["COVERAGE_PROCESS_START"] = str(Path(__file__).with_name("servers.coveragerc"))
    os.environ["COVERAGE_FILE"] = str(Path(__file__).parents[1] / ".coverage")


#: What a test asks for, by way of other fixtures too, that talks to the servers of the environment's variables.
_NAMED_SERVERS = {"postgres_url", "redis_accounts"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, and after the conftest of a folder
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep tests that share a stack on one worker, and leave out what named servers have no part in."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
    if "CONFIGSVC_TEST_DATABASE_URL" in os.environ:
        kept: dict[bool, list[pytest.Item]] = {True: [], False: []}
        for item in items:
            kept[not _NAMED_SERVERS.isdisjoint(getattr(item, "fixturenames", ()))].append(item)
        items[:] = kept[True]
        config.hook.pytest_deselected(items=kept[False])
