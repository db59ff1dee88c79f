"""Every code block of every page does what the page says."""

from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What one sees first; the others take a minute and a half.
QUICK = {"README.md", "configclient/README.md"}
#: Has a stack of its own: it waits until every instance has a change, also those that other pages have left.
FRAMEWORKS = ROOT / "docs" / "frameworks.md"
PAGES = [
    pytest.param(ROOT / page, id=page, marks=[] if page in QUICK else [pytest.mark.long])
    for page in [
        "README.md",
        "configclient/README.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md") if path != FRAMEWORKS),
    ]
]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page(page: Path, read: Callable[[Path], None]) -> None:
    """Blocks are run in their order, one stack for all pages; a block that nobody can run says why."""
    read(page)
