"""The programs of docs/frameworks.md, which start servers of other people's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.test_pages import FRAMEWORKS


@pytest.mark.long
def test_every_program_follows(read: Callable[[Path], None]) -> None:
    """Each block does what the page says."""
    read(FRAMEWORKS)
