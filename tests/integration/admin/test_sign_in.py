"""Ways in and out of the pages, and what is refused at their door."""

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask

from configsvc.app import close, create_app
from configsvc.service import accounts, samples
from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.admin.conftest import PASSWORD, Browser

#: What a page has that nobody without a session sees.
SIGNED_IN = "Sign out"
#: What a form of another site, or of no page of ours, comes with.
FOREIGN: tuple[dict[str, Any], ...] = (
    {"csrf": ""},
    {"csrf": "00" * 40},
    {"csrf": "é"},
    {"headers": {"Sec-Fetch-Site": "cross-site"}},
    {"headers": {"Sec-Fetch-Site": "same-site"}},
    {"headers": {"Origin": "https://evil.example"}},
    {"headers": {"Origin": "null"}},
)


@pytest.fixture
def admin_events(database: Database) -> Callable[[], list[str]]:
    """What the trail has of failed authentications."""

    def read() -> list[str]:
        with psycopg.connect(database.superuser_url) as connection:
            rows = connection.execute("SELECT action FROM audit_event WHERE action LIKE 'authentication%'").fetchall()
        return [action for (action,) in rows]

    return read


def enter(browser: Browser, name: str, password: str = PASSWORD, **options: Any) -> int:
    """Sign in with a password; return the status."""
    fields = {"name": name, "password": password, "next": "/ui/"}
    return browser.post("/ui/sign-in", fields, **options).status_code


def test_an_account_signs_in_with_its_password(browser: Callable[[], Browser], account: Callable[..., str]) -> None:
    """Its cookie is for /ui alone, not for scripts, not for other sites' forms, and for https alone over https."""
    name, plain, encrypted = account("viewer"), browser(), browser()
    fields = {"name": name, "password": PASSWORD}
    cookie = plain.post("/ui/sign-in", fields).headers["Set-Cookie"]
    assert {"HttpOnly", "Path=/ui", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert SIGNED_IN in plain.get("/ui/").text
    assert "Secure" in encrypted.post("/ui/sign-in", fields, base_url="https://config.example").headers["Set-Cookie"]


@pytest.mark.parametrize(("proxies", "secure"), [(0, False), (2, True)])
def test_the_scheme_is_what_a_trusted_proxy_says(
    settings: Settings, account: Callable[..., str], proxies: int, secure: bool
) -> None:
    """Behind a proxy that ends TLS the cookie is for https alone; without one nobody is believed."""
    app = create_app(settings.model_copy(update={"trusted_proxies": proxies}))
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7, 203.0.113.8"}
    fields = {"name": account("viewer"), "password": PASSWORD}
    answer = Browser(app).post("/ui/sign-in", fields, headers=headers)
    assert ("Secure" in answer.headers["Set-Cookie"]) is secure
    close(app)


def test_a_token_signs_in(browser: Callable[[], Browser], settings: Settings) -> None:
    """Whoever has a token is in without an account; one that is none is told at its field."""
    tokens = samples.ensure(settings.database_url, None)
    ours = browser()
    for text in (tokens["viewer"][:-2] + "xx", "cfg_x", ""):
        wrong = ours.post("/ui/sign-in", {"token": text})
        assert (wrong.status_code, "unknown, expired or revoked" in wrong.text) == (422, True)
    assert ours.post("/ui/sign-in", {"token": f" {tokens['viewer']}\n"}).status_code == 303
    assert SIGNED_IN in ours.get("/ui/").text


def test_a_link_signs_in_once(browser: Callable[[], Browser], account: Callable[..., str], settings: Settings) -> None:
    """Looking at it uses nothing up, as programs that check links do; the button does, for good."""
    path = accounts.link(settings.database_url, account("viewer"), actor="the tests")
    scanner, ours, other = browser(), browser(), browser()
    for _ in range(2):
        assert "some-viewer" in scanner.get(path).text
    assert not scanner.cookies
    assert ours.post(path, {}).status_code == 303
    assert SIGNED_IN in ours.get("/ui/").text
    assert (other.get(path).status_code, other.post(path, {}).status_code, other.cookies) == (404, 404, {})


def test_a_wrong_password_and_no_account_look_the_same(
    browser: Callable[[], Browser], account: Callable[..., str]
) -> None:
    """What was typed stays, but the password, and nothing tells whether there is such an account."""
    account("viewer")
    ours = browser()
    for name in ("some-viewer", "nobody", "a\0b"):
        assert enter(ours, name, "wrong") == 422
        assert "name and password do not belong together" in ours.page
        assert "wrong" not in ours.page
        assert not ours.cookies


def test_failures_are_recorded(browser: Callable[[], Browser], admin_events: Callable[[], list[str]]) -> None:
    """As those of the API are: whoever guesses leaves a trace."""
    enter(browser(), "somebody", "wrong")
    browser().post("/ui/sign-in", {"token": "cfg_x"})
    assert admin_events() == ["authentication.failed"] * 2


def test_signing_out_ends_the_session_on_the_server(signed_in: Callable[..., Browser]) -> None:
    """A copy of the cookie is worth nothing after it."""
    ours, thief = signed_in("viewer"), signed_in("viewer", name="thief")
    thief.use(ours.cookies["configsvc_session"])
    assert "some-viewer" in thief.get("/ui/").text
    ours.get("/ui/")
    assert ours.post("/ui/sign-out", {}).status_code == 303
    assert not ours.cookies
    assert thief.get("/ui/").status_code == 303


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE session SET expires_at = clock_timestamp()",
        "UPDATE token SET revoked_at = clock_timestamp() WHERE name = 'some-viewer'",
        "DELETE FROM access_grant",
    ],
)
def test_a_session_ends_with_what_it_stands_for(
    signed_in: Callable[..., Browser], database: Database, end: str
) -> None:
    """Its time, its account, its rights: the next page asks to sign in."""
    ours = signed_in("viewer")
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(end)
    answer = ours.get("/ui/namespaces/payments?q=a")
    assert answer.status_code == 303
    assert answer.location == "/ui/sign-in?next=/ui/namespaces/payments?q%3Da"


def test_another_password_ends_the_sessions(signed_in: Callable[..., Browser], settings: Settings) -> None:
    """Whoever changes it because somebody knew it is rid of them; the old one is no longer good, the new one is."""
    ours = signed_in("viewer")
    accounts.change_password(settings.database_url, "some-viewer", "quite another password", actor="the tests")
    assert ours.get("/ui/").status_code == 303
    assert enter(ours, "some-viewer") == 422
    assert enter(ours, "some-viewer", "quite another password") == 303


def test_nobody_is_sent_elsewhere_after_signing_in(browser: Callable[[], Browser], account: Callable[..., str]) -> None:
    """``next`` is a page of ours, or the first one."""
    fields = {"name": account("viewer"), "password": PASSWORD}
    for address in ("https://evil.example/ui/", "//evil.example/ui/", "/\\evil.example", "/v1/me", "/ui/\n", "data:1"):
        assert browser().post("/ui/sign-in", {**fields, "next": address}).location == "/ui/"
    assert browser().post("/ui/sign-in", {**fields, "next": "/ui/requests?env=a"}).location == "/ui/requests?env=a"


def test_a_form_of_another_site_is_refused(signed_in: Callable[..., Browser]) -> None:
    """Every write takes the mark of a page of this session, and is not from elsewhere by what the browser says."""
    ours = signed_in("ops")
    for options in FOREIGN:
        for path in ("/ui/namespaces/payments/development/a", "/ui/envs/development/releases/1/undo", "/ui/sign-out"):
            ours.get("/ui/")
            answer = ours.post(path, {"step": "save"}, **options)
            assert (answer.status_code, "was not sent from a page" in answer.text) == (403, True)


def test_the_mark_of_another_session_is_refused(signed_in: Callable[..., Browser]) -> None:
    """Somebody who has a session of their own can't lend its mark to a form for somebody else."""
    ours, theirs = signed_in("ops"), signed_in("ops", name="mallory")
    ours.page = theirs.get("/ui/").text
    assert ours.post("/ui/sign-out", {}).status_code == 403


def test_signing_in_from_another_site_is_refused(browser: Callable[[], Browser], account: Callable[..., str]) -> None:
    """Nobody can be signed in to somebody else's account behind their back."""
    assert enter(browser(), account("viewer"), headers={"Sec-Fetch-Site": "cross-site"}) == 403


def test_every_page_asks_to_sign_in(app: Flask, browser: Callable[[], Browser]) -> None:
    """Whatever there is under /ui, but the door itself and its looks."""
    open_ones = {"/ui/sign-in", "/ui/sign-in/<secret>", "/ui/static/<path:filename>", "/ui/bootstrap.css"}
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("ui.")]
    assert len(rules) > 15
    for rule in rules:
        if rule.rule in open_ones:
            continue
        path = re.sub("<[^>]+>", "1", rule.rule)
        for method in {"GET", "POST"} & set(rule.methods or ()):
            ours = browser()
            answer = ours.get(path) if method == "GET" else ours.post(path, {})
            assert (answer.status_code, answer.location.split("?")[0]) == (303, "/ui/sign-in"), (method, path)


def test_a_session_is_no_way_into_the_api(signed_in: Callable[..., Browser]) -> None:
    """The API takes tokens alone, so no cookie can be made to work there."""
    assert signed_in("admin").get("/v1/namespaces").status_code == 401


def test_sessions_are_recorded(signed_in: Callable[..., Browser], database: Database) -> None:
    """Who began and ended one, in which way; never the secret of a session or a link, in any table."""
    ours = signed_in("viewer")
    secret = ours.cookies["configsvc_session"]
    ours.get("/ui/")
    ours.post("/ui/sign-out", {})
    with psycopg.connect(database.superuser_url) as connection:
        events = connection.execute("SELECT action, actor FROM audit_event WHERE action LIKE 'session.%' ORDER BY id")
        assert events.fetchall() == [("session.begin", "some-viewer"), ("session.end", "some-viewer")]
        everything = connection.execute("SELECT string_agg(e::text, '') FROM audit_event e").fetchone()
    assert everything is not None
    assert secret not in everything[0]
