"""A namespace's page by keyboard alone, and JSON while it is typed."""

import pytest
from playwright.sync_api import Page, expect

from configsvc.dev.stack import Stack
from tests.browser.test_story import call, put, sign_in

pytestmark = pytest.mark.browser


def test_keys_lead_from_the_search_to_a_value(page: Page, stack: Stack, namespace: str) -> None:
    """``/`` goes to the search, arrows or j and k from there to a value and between them, and Enter opens one."""
    for number, key in enumerate(("burst", "currency", "rate_limit")):
        put(stack, namespace, key, number)
        put(stack, namespace, key, 10 + number, "staging")
    sign_in(page, stack, "viewer")
    page.goto(f"/ui/namespaces/{namespace}")
    page.keyboard.press("/")
    expect(page.get_by_label("Find a setting")).to_be_focused()
    page.keyboard.type("r")  # in all of them
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="0", exact=True)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("link", name="10", exact=True)).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="11", exact=True)).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="12", exact=True)).to_be_focused()
    page.keyboard.press("k")
    expect(page.get_by_role("link", name="11", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("currency")


def test_json_is_marked_where_it_goes_wrong(page: Page, stack: Stack, namespace: str) -> None:
    """While it is typed: line, column, and what belongs there; and gone once it is right."""
    path = f"/v1/namespaces/{namespace}/envs/development/config/limits"
    call(stack, "PUT", path, {"value": {"a": 1}, "type": "json"})
    sign_in(page, stack, "developer")
    page.goto(f"/ui/namespaces/{namespace}/development/limits")
    page.get_by_label("New value").fill('{\n  "a": 1,\n}')
    expect(page.get_by_text("nothing follows this comma")).to_be_visible()
    expect(page.get_by_role("button", name="Line 3, column 1")).to_be_visible()
    page.get_by_label("New value").fill('{"a": 2}')
    expect(page.get_by_text("nothing follows this comma")).to_be_hidden()
