"""Fixtures for all tests, by concern: each module says what it gives."""

import signal

pytest_plugins = ["tests.fix_servers", "tests.fix_database", "tests.fix_stack"]

# Shells start what they put into the background deaf to Ctrl-C, and every program that a test starts would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
