"""The story that the pages are for, in a real browser, by what somebody reads on them: labels and roles alone."""

import json
import queue
import re
import time
import urllib.request
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from configclient import ConfigClient
from configsvc.dev.stack import Stack
from configsvc.service import accounts
from tests.integration.admin.naughty import ALL

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
#: Clients report every second, and the machine may be busy.
HEARD_WITHIN_S = 20.0
#: The page, or a table in it.
SCROLLS_SIDEWAYS = """
    [document.documentElement, ...document.querySelectorAll(".table-responsive")].some(
        (box) => box.scrollWidth > box.clientWidth
    )
"""
pytestmark = pytest.mark.browser


def sign_in(page: Page, stack: Stack, name: str) -> None:
    """Open a link that signs in, and press its button."""
    page.goto(accounts.link(stack.database_url, name, actor="the tests"))
    page.get_by_role("button", name="Sign in").click()


def call(stack: Stack, method: str, path: str, body: object) -> Any:
    """Call the API as ops."""
    headers = {"Authorization": f"Bearer {stack.tokens['ops']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.url}{path}", json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def put(stack: Stack, namespace: str, key: str, value: object, env: str = "development") -> None:
    """Set a string or a whole number by the API."""
    type_ = "int" if isinstance(value, int) else "string"
    call(stack, "PUT", f"/v1/namespaces/{namespace}/envs/{env}/config/{key}", {"value": value, "type": type_})


def reload_until(page: Page, text: str) -> None:
    """Look again until the page has a text."""
    deadline = time.monotonic() + HEARD_WITHIN_S
    while not page.get_by_text(text).count():
        assert time.monotonic() < deadline, text
        page.reload()


def test_find_change_see_and_undo(page: Page, stack: Stack, namespace: str) -> None:
    """A setting is found by a part of its name, changed after a preview, arrives, is seen in history, and put back."""
    put(stack, namespace, "rate_limit", 100)
    put(stack, namespace, "rate_limit", 250, "staging")
    put(stack, namespace, "currency", "EUR")
    arrived: queue.Queue[object] = queue.Queue()
    token = stack.tokens["service"]
    with ConfigClient("checkout", "development", [namespace], url=stack.url, token=token) as client:
        client.on_change(lambda change: arrived.put(change.new), namespace=namespace, key="rate_limit")
        sign_in(page, stack, "developer")
        reload_until(page, "1 live instance")

        page.get_by_label("Find a setting").fill("LIMIT")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("link", name=namespace, exact=True).click()
        row = page.get_by_role("row", name=re.compile("rate_limit"))
        expect(row).to_contain_text("differs")
        expect(page.get_by_role("row", name=re.compile("currency"))).to_be_hidden()
        row.get_by_role("link", name="100").click()

        page.get_by_label("New value").fill("300")
        page.get_by_label("Note").fill("Black Friday")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("row", name=re.compile("rate_limit"))).to_contain_text("300")
        expect(page.get_by_text("1 running instance gets it: checkout.")).to_be_visible()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name=re.compile("Release .* of development"))).to_be_visible()
        assert arrived.get(timeout=HEARD_WITHIN_S) == 300

        page.get_by_role("link", name="History", exact=True).click()
        entry = page.get_by_role("listitem").filter(has_text="Black Friday")
        expect(entry).to_contain_text("developer")
        expect(entry).to_contain_text("rate_limit")
        entry.get_by_role("link", name="Release").click()
        page.get_by_role("button", name="Undo this release").click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("row", name=re.compile("rate_limit"))).to_contain_text("100")
        assert arrived.get(timeout=HEARD_WITHIN_S) == 100


def test_a_page_shows_what_others_change(page: Page, stack: Stack, namespace: str) -> None:
    """In any environment, without a reload; what is focused stays so; a rollout fills as instances report."""
    put(stack, namespace, "rate_limit", 100)
    put(stack, namespace, "currency", "EUR", "staging")
    sign_in(page, stack, "viewer")
    page.get_by_role("link", name=namespace, exact=True).click()
    focused = page.get_by_role("row", name=re.compile("rate_limit")).get_by_role("link").first
    focused.focus()
    put(stack, namespace, "currency", "CHF", "staging")
    expect(page.get_by_role("link", name="CHF")).to_be_visible()
    put(stack, namespace, "rate_limit", 250)
    expect(page.get_by_role("link", name="250")).to_be_visible()
    expect(focused).to_be_focused()
    page.goto("/ui/envs/development/history")
    page.get_by_role("listitem").filter(has_text=namespace).first.get_by_role("link", name="Release").click()
    page.get_by_role("link", name="Who has it").click()
    expect(page.get_by_text("No running instance follows it now.")).to_be_visible()
    with ConfigClient("checkout", "development", [namespace], url=stack.url, token=stack.tokens["service"]):
        expect(page.get_by_text("Everybody has it")).to_be_visible(timeout=HEARD_WITHIN_S * 1000)
        expect(page.get_by_role("progressbar", name="Instances that have it")).to_be_visible()


def test_who_may_not_change_sees_no_way_to(page: Page, stack: Stack, namespace: str) -> None:
    """A viewer reads; after signing out there is the door again, whatever address is opened."""
    put(stack, namespace, "rate_limit", 100)
    sign_in(page, stack, "viewer")
    page.get_by_role("link", name=namespace, exact=True).click()
    page.get_by_role("row", name=re.compile("rate_limit")).get_by_role("link", name="100").click()
    expect(page.get_by_text("You may read it here, and not change it.")).to_be_visible()
    expect(page.get_by_role("button", name="Preview")).to_have_count(0)
    address = page.url
    page.get_by_role("button", name="Sign out").click()
    page.goto(address)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_hostile_values_run_nothing(page: Page, stack: Stack, namespace: str) -> None:
    """Other tests read the markup; here something would run, or break the policy, and be complained of."""
    changes = [{"key": f"k{number}", "value": text[:2_000]} for number, text in enumerate(ALL)]
    declared = [{"key": change["key"], "type": "string", "description": change["value"]} for change in changes]
    call(stack, "PATCH", f"/v1/namespaces/{namespace}/keys", {"keys": declared})
    release = call(stack, "PATCH", f"/v1/namespaces/{namespace}/envs/development/config", {"changes": changes})
    proposed = {"changes": [{"namespace": namespace, **change} for change in changes], "note": ALL[0]}
    request = call(stack, "POST", "/v1/envs/production/requests", proposed)
    for text in filter(None, ALL[::4]):
        review = {"decision": "comment", "comment": text[:2_000]}
        call(stack, "POST", f"/v1/requests/{request['id']}/reviews", review)
    sign_in(page, stack, "admin")
    for path in (
        "/ui/",
        "/ui/envs/development/history",
        f"/ui/envs/development/releases/{release['revision']}",
        f"/ui/requests/{request['id']}",
        "/ui/requests",
        f"/ui/audit?namespace={namespace}",
        *(f"/ui/namespaces/{namespace}/development/k{number}" for number in range(0, len(ALL), 20)),
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"/ui/namespaces/{namespace}")
    expect(page.get_by_role("rowheader")).to_have_count(len(ALL))
    page.get_by_role("row", name=re.compile("^k0 ")).get_by_role("link").first.click()
    expect(page.get_by_label("New value")).to_have_value(ALL[0])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_for_everybody(
    chromium: Browser, stack: Stack, namespace: str, scheme: Literal["light", "dark"]
) -> None:
    """WCAG 2.1 AA as far as a program can tell, and nothing that a phone would have to be scrolled sideways for."""
    put(stack, namespace, "rate_limit", 100)
    put(stack, namespace, "rate_limit", 250)
    context = chromium.new_context(base_url=stack.url, color_scheme=scheme, viewport={"width": 360, "height": 800})
    page, found = context.new_page(), []
    sign_in(page, stack, "admin")
    setting = f"/ui/namespaces/{namespace}/development/rate_limit"
    release = page.get_by_role("link", name="Release").first.get_attribute("href")
    paths = [
        "/ui/",
        "/ui/find?q=limit",
        f"/ui/namespaces/{namespace}",
        setting,
        f"{setting}/history",
        "/ui/envs/development/history",
    ]
    paths += [release or "", f"{release}/rollout", "/ui/envs/development/watchers", "/ui/requests", "/ui/nothing"]
    paths += [
        "/ui/audit?actor=ops",
        "/ui/tokens",
        "/ui/tokens/new",
        "/ui/envs",
        "/ui/envs/production",
        "/ui/encryption",
        f"/ui/keys/{namespace}/new",
        f"/ui/keys/{namespace}/of/rate_limit",
        "/ui/envs/development/draft",
        "/ui/envs/development/compare?from=1&to=2",
        f"/ui/envs/development/state?namespace={namespace}",
    ]
    page.goto(setting)
    page.get_by_label("New value").fill("300")
    page.get_by_role("button", name="Add to draft").click()
    for path in paths:
        page.goto(path)
        found += [(path, violation["id"], violation["nodes"][0]["html"]) for violation in violations(page)]
        if page.evaluate(SCROLLS_SIDEWAYS):
            found.append((path, "scrolls sideways", ""))
    page.goto(setting)
    page.get_by_label("New value").fill("")
    page.get_by_role("button", name="Preview").click()
    found += [("preview", violation["id"], violation["nodes"][0]["html"]) for violation in violations(page)]
    page.goto("/ui/tokens")
    page.get_by_role("link", name="viewer", exact=True).click()
    found += [("token", violation["id"], violation["nodes"][0]["html"]) for violation in violations(page)]
    page.get_by_role("button", name="Revoke it").click()
    found += [("confirm", violation["id"], violation["nodes"][0]["html"]) for violation in violations(page)]
    context.close()
    assert not found


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds on a page."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    found: list[dict[str, Any]] = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return found
