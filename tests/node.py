"""The client in examples/node, where there is a Node that can run it."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples/node"
OLDEST = (18, 17)


def _lacks() -> str:
    """Why it can't be run here; "" if it can."""
    program = shutil.which("node")
    if program is None:
        return "there is no node"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    return "" if (int(major), int(minor)) >= OLDEST else f"node is {version}, and it takes 18.17"


LACKS = _lacks()
needs_node = pytest.mark.skipif(LACKS != "", reason=LACKS)
