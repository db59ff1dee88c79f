"""A stack for the pages of a module, and what reads one to its end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.dev.stack import Stack
from tests.docs.blocks import blocks_of
from tests.docs.runner import Page


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the stack of the pages keeps its data."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def stack(data_dir: Path) -> Iterator[Stack]:
    """What `make dev` starts."""
    with Stack(data_dir) as running:
        yield running


@pytest.fixture
def read(stack: Stack, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Runs every block of a page."""
    monkeypatch.setenv("CONFIGSVC_URL", stack.url)
    monkeypatch.setenv("CONFIGSVC_TOKEN", stack.tokens["admin"])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def run(page: Path) -> None:
        reader = Page(tmp_path, stack, data_dir)
        failed = []
        try:
            for block in blocks_of(page):
                try:
                    reader.run(block)
                except Exception as error:  # noqa: BLE001  # whatever a block raises is told with its place
                    failed.append(f"{page.name}:{block.line}: {type(error).__name__}: {error}")
        finally:
            reader.close()
        if failed:
            pytest.fail("\n\n".join(failed), pytrace=False)

    return run
