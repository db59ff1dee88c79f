"""Pictures of all pages into docs/pages: ``make pages``, or ``python -m examples.pages FOLDER``."""

import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from configsvc.dev.stack import Stack
from configsvc.service import accounts
from examples.pages.company import Company

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
WIDE, PHONE = (1280, 800), (390, 780)
#: Of WebP: text stays sharp, and all of them together are small.
QUALITY = 70
HEIGHT_MAX = 1_600
RATE_LIMIT = "/ui/namespaces/payments/production/rate_limit"
PAGES = {
    "overview": "/ui/",
    "namespace": "/ui/namespaces/payments",
    "setting": "/ui/namespaces/payments/development/rate_limit",
    "setting-json": "/ui/namespaces/payments/development/retries",
    "setting-secret": "/ui/namespaces/payments/production/provider_key",
    "setting-history": f"{RATE_LIMIT}/history",
    "key-new": "/ui/keys/payments/new",
    "history": "/ui/envs/production/history",
    "state": "/ui/envs/production/state?namespace=payments&as_of=1",
    "find": "/ui/find?q=pay",
    "compare": "/ui/envs/development/compare?from=2&to=4",
    "release": "/ui/envs/development/releases/4",
    "rollout": "/ui/envs/production/releases/2/rollout",
    "instances": "/ui/envs/production/watchers",
    "requests": "/ui/requests",
    "request": "/ui/requests/3",
    "audit": "/ui/audit",
    "tokens": "/ui/tokens",
    "token-new": "/ui/tokens/new",
    "environments": "/ui/envs",
    "environment": "/ui/envs/production",
    "encryption": "/ui/encryption",
    "not-there": "/ui/nothing",
}
DRAFT = "/ui/envs/development/draft"
ON_A_PHONE = (
    "overview",
    "namespace",
    "setting",
    "history",
    "compare",
    "state",
    "rollout",
    "request",
    "instances",
    "tokens",
)


def main(folder: Path) -> None:
    """Start a stack, fill it, and take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, Stack(Path(scratch) / "stack") as stack:
        Company(stack).begin()
        for scheme in SCHEMES:
            with browsing(scheme, WIDE, stack) as page:
                page.goto("/ui/sign-in")
                take(page, folder / f"sign-in-{scheme}.webp")
                sign_in(page, stack)
                for name, path in PAGES.items():
                    page.goto(path)
                    take(page, folder / f"{name}-{scheme}.webp")
                page.goto(PAGES["setting"])
                page.get_by_label("New value").fill("700")
                page.get_by_label("Note").fill("More, for the rehearsal")
                page.get_by_role("button", name="Preview").click()
                take(page, folder / f"preview-{scheme}.webp")
                draft(page)
                take(page, folder / f"draft-{scheme}.webp")
        with browsing("light", PHONE, stack) as page:
            sign_in(page, stack)
            for name in ON_A_PHONE:
                page.goto(PAGES[name])
                take(page, folder / f"{name}-phone.webp")
            draft(page)
            take(page, folder / "draft-phone.webp")


@contextmanager
def browsing(scheme: Scheme, size: tuple[int, int], stack: Stack) -> Iterator[Page]:
    """A page of a fresh browser of this size."""
    with sync_playwright() as playwright:
        # As root chromium has no sandbox; it opens our own pages alone.
        browser: Browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        width, height = size
        viewport = {"width": width, "height": height}
        context = browser.new_context(base_url=stack.url, color_scheme=scheme, viewport=viewport)
        yield context.new_page()
        browser.close()


def sign_in(page: Page, stack: Stack) -> None:
    """Come in as somebody who may see everything."""
    page.goto(accounts.link(stack.database_url, "ada", actor="the operator"))
    page.get_by_role("button", name="Sign in").click()


def draft(page: Page) -> None:
    """Collect some changes, and look at them together."""
    for key, value in (("rate_limit", "700"), ("provider_url", "https://sandbox.pay.example/v3")):
        page.goto(f"/ui/namespaces/payments/development/{key}")
        page.get_by_label("New value").fill(value)
        page.get_by_role("button", name="Add to draft").click()
    page.goto(DRAFT)


def take(page: Page, path: Path) -> None:
    """Write what the page shows, to its end or to a screen and a half."""
    page.get_by_role("heading", level=1).wait_for()
    size = page.evaluate("({width: innerWidth, height: document.documentElement.scrollHeight})")
    clip = {"x": 0, "y": 0, "scale": 1, "width": size["width"], "height": min(size["height"], HEIGHT_MAX)}
    asked = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    path.write_bytes(base64.b64decode(taken["data"]))
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
