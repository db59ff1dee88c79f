"""Debian's chromium, and pages in it that complain of nothing."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from configsvc.dev.stack import Stack

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The system's, without a window."""
    if CHROMIUM is None:
        pytest.skip("needs Debian's package chromium")
    with sync_playwright() as playwright:
        # CI runs as root, where chromium has no sandbox; it opens our own pages alone.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser, stack: Stack) -> Iterator[Callable[..., Page]]:
    """Makes pages, each of a fresh browser. What one complains about (a broken policy, a script's error) fails the
    test, but for messages with one of the ``expected`` words.
    """
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def make(*expected: str) -> Page:
        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not any(word in message.text for word in expected):
                complaints.append(message.text)

        context = chromium.new_context(base_url=stack.url)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """One page."""
    return new_page()
