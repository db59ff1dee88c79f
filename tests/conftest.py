"""Fixtures for all tests, by concern: each module says what it gives."""

pytest_plugins = ["tests.fix_servers", "tests.fix_database", "tests.fix_stack"]
