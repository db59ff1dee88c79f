"""The client in another language, which knows no more than docs/protocol.md, replays the same vectors."""

import subprocess

from tests.node import FOLDER, needs_node


@needs_node
def test_the_node_client_means_the_same_protocol() -> None:
    """It reads and drops the frames that ours does, and follows the client rules step by step."""
    done = subprocess.run(["node", "--test", FOLDER / "vectors.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "# tests 0" not in done.stdout
