"""Fixtures for all tests, by concern: each module says what it gives."""

import os
import signal
from pathlib import Path

pytest_plugins = ["tests.fix_servers", "tests.fix_database", "tests.fix_stack"]

# Shells start what they put into the background deaf to Ctrl-C, and every program that a test starts would inherit it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One of the workers of `make coverage`.
if "PYTEST_XDIST_WORKER" in os.environ and os.environ.pop("COVERAGE_PROCESS_CONFIG", None):
    os.environ["COVERAGE_PROCESS_START"] = str(Path(__file__).with_name("servers.coveragerc"))
    os.environ["COVERAGE_FILE"] = str(Path(__file__).parents[1] / ".coverage")
