"""The README's examples are run as they stand there."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from configsvc.dev.stack import Stack

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE_TIMEOUT_S = 30

# One stack for both examples.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme")]


def example(language: str) -> str:
    """The one fenced block in that language."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    return str(block)


def run(*command: str, stack: Stack) -> str:
    """Runs an example as somebody who has sourced .dev/env; returns what it printed."""
    env = os.environ | {"CONFIGSVC_URL": stack.url, "CONFIGSVC_TOKEN": stack.tokens["admin"]}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=EXAMPLE_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_http_example_and_then_the_client(stack: Stack) -> None:
    """What the curl example writes, it reads back, and the Python example prints."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    shown = re.search(r"^# (\{.+\})$", example("sh").replace("\n#  ", " "), flags=re.MULTILINE)
    assert shown is not None

    quietly = example("sh").replace("curl ", r"curl --silent --fail --write-out '\n' ")
    printed = run("bash", "-euc", quietly, stack=stack)

    written, read = (json.loads(line) for line in printed.splitlines())
    assert written.keys() == json.loads(shown[1]).keys()
    assert written["changes"][0].keys() == json.loads(shown[1])["changes"][0].keys()
    assert read["values"]["rate_limit"]["value"] == 250
    assert run(sys.executable, "-c", example("python"), stack=stack).startswith("250 ")
