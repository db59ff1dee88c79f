"""Narrowing a table of many settings while one types, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from configsvc.dev.stack import Stack
from tests.browser.test_story import call, put, sign_in

#: More than are laid out at once.
KEYS = 450
pytestmark = pytest.mark.browser


def test_rows_are_narrowed_and_come_back(page: Page, stack: Stack, namespace: str) -> None:
    """All that hold what is typed, whatever was typed before, and no others; also when somebody else changes one."""
    scope = f"/v1/namespaces/{namespace}"
    keys = [{"key": f"key{number}", "type": "int"} for number in range(KEYS)]
    call(stack, "PATCH", f"{scope}/keys", {"keys": keys})
    changes = [{"key": key["key"], "value": 1} for key in keys]
    call(stack, "PATCH", f"{scope}/envs/development/config", {"changes": changes})
    sign_in(page, stack, "viewer")
    page.goto(f"/ui/namespaces/{namespace}")
    field, rows, shown = page.get_by_label("Find a setting"), page.get_by_role("rowheader"), page.get_by_role("status")
    expect(rows).to_have_count(KEYS)
    for typed, found in (("key44", 11), ("key4", 61), ("nowhere", 0), ("key", KEYS), ("KEY449", 1)):
        field.fill(typed)
        expect(shown).to_contain_text(f"{found} of these {KEYS}")
        expect(rows).to_have_count(found)
    put(stack, namespace, "key449", 77)
    expect(page.get_by_role("link", name="77", exact=True)).to_be_visible()
    put(stack, namespace, "key448", 77)
    put(stack, namespace, "key449", 78)
    expect(page.get_by_role("link", name="78", exact=True)).to_be_visible()
    expect(rows).to_have_count(1)
    field.fill("")
    expect(rows).to_have_count(KEYS)


def test_a_list_that_grows_keeps_its_focus(page: Page, stack: Stack, namespace: str) -> None:
    """Of a page that others change, only what is new is touched: what somebody has marked stays marked."""
    put(stack, namespace, "currency", "EUR")
    put(stack, namespace, "rate_limit", 100)
    sign_in(page, stack, "viewer")
    page.goto(f"/ui/namespaces/{namespace}")
    header = page.get_by_role("rowheader", name=re.compile("currency"))
    header.select_text()
    put(stack, namespace, "rate_limit", 200)
    expect(page.get_by_role("link", name="200")).to_be_visible()
    assert "currency" in page.evaluate("getSelection().toString()")
    focused = page.get_by_role("link", name="200")
    focused.focus()
    put(stack, namespace, "another", 1)
    expect(page.get_by_role("rowheader", name=re.compile("another"))).to_be_visible()
    expect(focused).to_be_focused()
