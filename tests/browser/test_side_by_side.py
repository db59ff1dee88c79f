"""Several people at once, small roles, sessions that end and servers that restart, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from configsvc.dev.stack import Stack
from configsvc.service import accounts
from configsvc.service.tokens import Wanted
from configsvc.store.access import NewGrant
from tests.browser.test_story import put, sign_in

PASSWORD = "correct horse battery staple"  # of test accounts
#: Streams look at their session every 4 s, pages come back after 3 s, and the machine may be busy.
SOON_MS = 30_000
pytestmark = pytest.mark.browser


def make_account(stack: Stack, name: str, role: str, namespaces: str = "*", envs: list[str] | None = None) -> None:
    """Let somebody sign in with a password."""
    wanted = Wanted(name, [NewGrant(role, namespaces, envs)])
    accounts.create(stack.database_url, wanted, PASSWORD, actor="the tests")


def enter(page: Page, name: str, password: str) -> None:
    """Fill in the sign-in page."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def setting(page: Page, namespace: str, value: str) -> None:
    """Go to the setting that has this value."""
    page.goto(f"/ui/namespaces/{namespace}")
    page.get_by_role("row", name=re.compile("rate_limit")).get_by_role("link", name=value).click()


def save(page: Page, value: str) -> None:
    """Type another value, look at the preview, and save it."""
    page.get_by_label("New value").fill(value)
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Save").click()


def test_two_people_see_each_other_and_merge(new_page: Callable[..., Page], stack: Stack, namespace: str) -> None:
    """One saves, the other sees it live; who was overtaken is told, keeps what they typed, and goes on from there."""
    put(stack, namespace, "rate_limit", 100)
    watching, first, second = new_page(), new_page(), new_page("412")
    for page, name in ((watching, "viewer"), (first, "developer"), (second, "ops")):
        sign_in(page, stack, name)
    watching.goto(f"/ui/namespaces/{namespace}")
    setting(first, namespace, "100")
    setting(second, namespace, "100")
    save(first, "300")
    expect(watching.get_by_role("link", name="300")).to_be_visible()
    second.get_by_label("New value").fill("400")
    second.get_by_role("button", name="Preview").click()
    expect(second.get_by_role("alert")).to_contain_text("developer changed it while you were at it")
    expect(second.get_by_label("New value")).to_have_value("400")
    expect(second.get_by_text("300", exact=True)).to_be_visible()
    second.get_by_role("button", name="Preview").click()
    row = second.get_by_role("row", name=re.compile("rate_limit"))
    expect(row).to_contain_text("300")
    expect(row).to_contain_text("400")
    second.get_by_role("button", name="Save").click()
    expect(watching.get_by_role("link", name="400")).to_be_visible()


def test_a_small_role_sees_what_it_may(new_page: Callable[..., Page], stack: Stack, namespace: str) -> None:
    """One namespace, one environment, and no way to more: neither links nor buttons nor addresses."""
    put(stack, namespace, "rate_limit", 100)
    put(stack, namespace, "rate_limit", 250, "staging")
    make_account(stack, "guest", "viewer", namespace, ["development"])
    page = new_page("403", "404")
    page.goto("/ui/")
    enter(page, "guest", PASSWORD)
    expect(page.get_by_role("heading", name="development")).to_be_visible()
    expect(page.get_by_role("heading", name="staging")).to_have_count(0)
    expect(page.get_by_role("link", name="Tokens")).to_have_count(0)
    expect(page.get_by_role("link", name="payments")).to_have_count(0)
    setting(page, namespace, "100")
    expect(page.get_by_text("You may read it here, and not change it.")).to_be_visible()
    for path, title in (
        (f"/ui/namespaces/{namespace}/staging/rate_limit", "Not Found"),
        ("/ui/namespaces/payments", "Not Found"),
        ("/ui/envs/production/history", "Not Found"),
        ("/ui/tokens", "Forbidden"),
        ("/ui/encryption", "Forbidden"),
    ):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_have_text(title)


def test_a_session_that_ends_leads_back(new_page: Callable[..., Page], stack: Stack, namespace: str) -> None:
    """An open page asks to sign in by itself; then one is where one was."""
    put(stack, namespace, "rate_limit", 100)
    make_account(stack, "ada", "viewer")
    page = new_page()
    page.goto("/ui/")
    enter(page, "ada", PASSWORD)
    page.get_by_role("link", name=namespace, exact=True).click()
    expect(page.get_by_role("heading", name=namespace)).to_be_visible()
    address = page.url
    accounts.change_password(stack.database_url, "ada", f"{PASSWORD} again", actor="the tests")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SOON_MS)
    enter(page, "ada", f"{PASSWORD} again")
    expect(page.get_by_role("heading", name=namespace)).to_be_visible()
    assert page.url == address


def test_a_page_outlives_a_restart_of_the_server(new_page: Callable[..., Page], stack: Stack, namespace: str) -> None:
    """It comes back by itself, shows what happened meanwhile, and hears of what happens then."""
    put(stack, namespace, "rate_limit", 100)
    page = new_page("Failed to load resource", "ERR_")
    sign_in(page, stack, "viewer")
    page.goto(f"/ui/namespaces/{namespace}")
    expect(page.get_by_role("link", name="100")).to_be_visible()
    stack.part("web").stop()
    expect(page.get_by_role("link", name="100")).to_be_visible()
    stack.part("web").start()
    put(stack, namespace, "rate_limit", 200)
    expect(page.get_by_role("link", name="200")).to_be_visible(timeout=SOON_MS)
    put(stack, namespace, "rate_limit", 300)
    expect(page.get_by_role("link", name="300")).to_be_visible(timeout=SOON_MS)
