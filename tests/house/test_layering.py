"""DESIGN.md §12: imports run one way. The rules are in pyproject.toml; here they are run, and shown to bite."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BREACHES = {
    "a rule asks the framework": ("configsvc/domain/breach.py", "import flask", "configsvc.domain is pure"),
    "a rule reads the clock": ("configsvc/domain/breach.py", "import time", "configsvc.domain is pure"),
    "the store calls a use case": ("configsvc/store/breach.py", "import configsvc.service", "configsvc: cli"),
    "a use case talks to the driver": ("configsvc/service/breach.py", "import psycopg", "driver is known to the store"),
    "the client's core opens a socket": (
        "configclient/src/configclient/_table.py",
        "import socket",
        "configclient._state is pure",
    ),
    "the service imports the client": ("configsvc/api/breach.py", "import configclient", "never import each other"),
    "a package nobody placed": ("configsvc/extra/__init__.py", "", "configsvc: cli"),
}


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Runs the linter over the two packages below `root`, as `make lint` does."""
    sources = root / "configclient" / "src"
    # Both found below `root`, whatever is installed in this environment.
    search = f"import sys; sys.path[:0] = [{str(sources)!r}, {str(root)!r}]"
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    arguments = ["--no-logo", "--no-cache", "--config", str(root / "pyproject.toml")]
    return subprocess.run(
        [sys.executable, "-c", f"{search}; {command}", *arguments],
        cwd=sources,
        env=os.environ | {"COLUMNS": "400"},  # one line per contract
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_imports_run_one_way() -> None:
    """Every import of both packages keeps to the layers."""
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_found(breach: str, tmp_path: Path) -> None:
    """One import against the direction breaks the contract that forbids it."""
    path, line, contract = BREACHES[breach]
    without_caches = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "configsvc", tmp_path / "configsvc", ignore=without_caches)
    shutil.copytree(ROOT / "configclient" / "src", tmp_path / "configclient" / "src", ignore=without_caches)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / path).parent.mkdir(exist_ok=True)
    with (tmp_path / path).open("a") as module:
        module.write(f"\n{line}\n")

    done = lint_imports(tmp_path)

    assert done.returncode != 0
    assert re.search(rf"{re.escape(contract)}.* BROKEN", done.stdout), done.stdout + done.stderr
