"""Every code block of every page does what the page says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from configsvc.dev.stack import Stack
from tests.docs.blocks import blocks_of
from tests.docs.runner import Page

ROOT = Path(__file__).parents[2]
# What one sees first; the others take a minute and a half.
QUICK = {"README.md", "configclient/README.md"}
PAGES = [
    pytest.param(ROOT / page, id=page, marks=[] if page in QUICK else [pytest.mark.long])
    for page in [
        "README.md",
        "configclient/README.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    ]
]
# One stack for all pages, in their order: later ones show what earlier ones have set.
pytestmark = [pytest.mark.xdist_group("docs")]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack of the pages keeps its data."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def stack(data_dir: Path) -> Iterator[Stack]:
    """What `make dev` starts."""
    with Stack(data_dir) as running:
        yield running


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page(
    page: Path, stack: Stack, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are run in their order; one that nobody can run says why."""
    monkeypatch.setenv("CONFIGSVC_URL", stack.url)
    monkeypatch.setenv("CONFIGSVC_TOKEN", stack.tokens["admin"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    reader = Page(tmp_path, stack, data_dir)
    failed = []
    try:
        for block in blocks_of(page):
            try:
                reader.run(block)
            except Exception as error:  # noqa: BLE001  # whatever a block raises is told with its place
                failed.append(f"{page.relative_to(ROOT)}:{block.line}: {type(error).__name__}: {error}")
    finally:
        reader.close()
    if failed:
        pytest.fail("\n\n".join(failed), pytrace=False)
