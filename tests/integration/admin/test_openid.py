"""Signing in at an OpenID provider, and all that such a provider, or somebody in its place, may do wrong."""

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from configsvc.app import close, create_app
from configsvc.errors import SetupError
from configsvc.service import accounts, people, samples
from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.admin import openid_provider
from tests.integration.admin.conftest import PASSWORD, Browser
from tests.integration.admin.openid_provider import CLIENT_ID, CLIENT_SECRET, Claims, Provider
from tests.integration.api.conftest import Caller

REDIRECT = "http://localhost/ui/openid/back"
MAY = {
    "viewers": [{"role": "viewer"}],
    "payments": [{"role": "ops", "namespaces": "pay*"}],
    "admins": [{"role": "admin"}],
}


@pytest.fixture
def provider() -> Iterator[Provider]:
    """One that does all right, until a test spoils it."""
    with openid_provider.running() as running:
        yield running


@pytest.fixture
def with_provider(settings: Settings, provider: Provider, tmp_path: Path) -> Settings:
    """Those of a service with that provider."""
    secret = tmp_path / "client-secret"
    secret.write_text(f"{CLIENT_SECRET}\n")
    secret.chmod(0o600)
    return settings.model_copy(
        update={
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret_file": secret,
            "oidc_redirect_url": REDIRECT,
            "oidc_grants": json.dumps(MAY),
            "oidc_provider_name": "Example Corp",
        }
    )


@pytest.fixture
def app(with_provider: Settings) -> Iterator[Flask]:
    """The service, with that provider."""
    samples.ensure(with_provider.database_url, None)
    app = create_app(with_provider)
    yield app
    close(app)


def there(browser: Browser, following: str = "/ui/") -> str:
    """Follow the link of the sign-in page, and the provider's answer; return where that leads."""
    left = browser.get("/ui/openid", query_string={"next": following})
    assert left.status_code == 303, left.text
    parts = urlsplit(left.location)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().getheader("Location") or ""
    connection.close()
    assert location.startswith(REDIRECT)
    return location.removeprefix("http://localhost")


def enter(browser: Browser, following: str = "/ui/") -> TestResponse:
    """Sign in, all the way."""
    return browser.get(there(browser, following))


def test_the_page_has_it_where_it_is_set_up(browser: Callable[[], Browser], settings: Settings) -> None:
    """With what the settings call it, and where one was going; without the settings there is nothing of it."""
    assert "Sign in with Example Corp" in browser().get("/ui/sign-in?next=/ui/requests").text
    assert 'href="/ui/openid?next=/ui/requests"' in browser().get("/ui/sign-in?next=/ui/requests").text
    without = create_app(settings)
    assert "Sign in with Example Corp" not in Browser(without).get("/ui/sign-in").text
    assert Browser(without).get("/ui/openid").location == "/ui/sign-in?next=/ui/openid"
    close(without)


def test_the_provider_may_be_the_only_way_in(
    with_provider: Settings, account: Callable[..., str], api: Callable[[str], Caller]
) -> None:
    """So that nobody is two people: no password, no API token; the provider is, and the operator's link."""
    app = create_app(with_provider.model_copy(update={"oidc_only": True}))
    door = Browser(app).get("/ui/sign-in").text
    assert ("Example Corp" in door, "Password" in door, "API token" in door) == (True, False, False)
    for given in ({"name": account("viewer"), "password": PASSWORD}, {"token": api("viewer").token}):
        ours = Browser(app)
        assert ours.post("/ui/sign-in", given).status_code == 403
        assert ours.get("/ui/").status_code == 303
    assert enter(Browser(app)).status_code == 303
    ours = Browser(app)
    assert ours.post(accounts.link(with_provider.database_url, "some-viewer", actor="the tests"), {}).status_code == 303
    assert ours.get("/ui/").status_code == 200
    close(app)


def test_somebody_signs_in_and_is_the_same_person_next_time(browser: Callable[[], Browser], provider: Provider) -> None:
    """Back where they were going; known by the subject, whatever they are called by then."""
    ours = browser()
    answer = enter(ours, "/ui/requests?env=staging")
    assert (answer.status_code, answer.location) == (303, "/ui/requests?env=staging")
    cookies = " ".join(answer.headers.getlist("Set-Cookie"))
    assert "configsvc_openid=;" in cookies
    assert {"HttpOnly", "Path=/ui", "SameSite=Lax"} <= set(cookies.replace(";", "").split())
    assert ">ada</span>" in ours.get("/ui/").text
    provider.person["preferred_username"] = "ada-lovelace"
    again = browser()
    assert enter(again).status_code == 303
    assert ">ada</span>" in again.get("/ui/").text


def test_nobody_is_sent_elsewhere(browser: Callable[[], Browser]) -> None:
    """Not by ``next``, and not by what somebody put into the cookie."""
    for address in ("https://evil.example/ui/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        assert enter(browser(), address).location == "/ui/"
    ours = browser()
    back = there(ours)
    cookie = ours.client.get_cookie("configsvc_openid", path="/ui/openid")
    assert cookie is not None
    secret = cookie.value.partition(".")[0]
    ours.client.set_cookie("configsvc_openid", f"{secret}.https%3A%2F%2Fevil.example", path="/ui/openid")
    assert ours.get(back).location == "/ui/"


def test_what_one_may_is_what_the_claim_says_each_time(browser: Callable[[], Browser], provider: Provider) -> None:
    """More, less, nothing: with nothing nobody gets in, and sessions of before end."""
    ours = browser()
    enter(ours)
    assert ours.get("/ui/tokens").status_code == 403
    provider.person["groups"] = ["viewers", "admins", "unknown"]
    assert enter(browser()).status_code == 303
    assert ours.get("/ui/tokens").status_code == 200
    provider.person["groups"] = "payments"
    assert enter(browser()).status_code == 303
    assert (ours.get("/ui/namespaces/payments").status_code, ours.get("/ui/namespaces/search").status_code) == (
        200,
        404,
    )
    for groups in ([], ["unknown"], None, 7):
        provider.person["groups"] = groups
        refused = enter(browser())
        assert (refused.status_code, "you have no role in configsvc" in refused.text) == (422, True)
        assert ours.get("/ui/").status_code == 303
    provider.person["groups"] = ["viewers"]
    assert enter(browser()).status_code == 303
    assert ours.get("/ui/").status_code == 200


def test_who_was_revoked_stays_out_until_the_operator_says(
    browser: Callable[[], Browser], api: Callable[[str], Caller], settings: Settings
) -> None:
    """An admin's word is not undone by signing in again."""
    enter(browser())
    admin = api("admin")
    (token,) = [row for row in admin.get("/v1/tokens").json["items"] if row["name"] == "ada"]
    assert admin.delete(f"/v1/tokens/{token['id']}").status_code == 204
    refused = enter(browser())
    assert (refused.status_code, "ada was revoked here" in refused.text) == (422, True)
    people.readmit(settings.database_url, "ada", actor="the tests")
    assert enter(browser()).status_code == 303
    with pytest.raises(SetupError, match="nobody named ada"):
        people.readmit(settings.database_url, "ada", actor="the tests")


def test_a_person_counts_once(
    browser: Callable[[], Browser], provider: Provider, api: Callable[[str], Caller], settings: Settings
) -> None:
    """Two sign-ins, with another name or after a revocation, are one pair of eyes: nobody approves their own."""
    provider.person["groups"] = ["admins"]
    enter(browser())
    admin = api("admin")

    def ada() -> dict[str, Any]:
        (row,) = [row for row in admin.get("/v1/tokens").json["items"] if row["name"].startswith("ada")]
        return dict(row)

    first = ada()
    admin.delete(f"/v1/tokens/{first['id']}")
    people.readmit(settings.database_url, "ada", actor="the tests")
    provider.person["preferred_username"] = "ada-2"
    enter(browser())
    assert ada()["name"] == "ada-2"
    assert ada()["principal"] == first["principal"] == f"{provider.url}#ada-1"


def test_a_name_is_one_persons(browser: Callable[[], Browser], provider: Provider, account: Callable[..., str]) -> None:
    """Whoever has the name of somebody who is there already does not become them."""
    account("admin", name="ada")
    refused = enter(browser())
    assert (refused.status_code, "somebody else is called ada here" in refused.text) == (422, True)
    for name in (None, "", "a\0b", "x" * 101, ["ada"]):
        provider.person["preferred_username"] = name
        assert (enter(browser()).status_code, "no name" in enter(browser()).text) == (422, True)


WRONG: dict[str, Callable[[Claims], object]] = {
    "another nonce": lambda claims: claims.update(nonce="of an earlier sign-in"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "for another client": lambda claims: claims.update(aud="another"),
    "for several, and by another": lambda claims: claims.update(aud=[CLIENT_ID, "another"], azp="another"),
    "expired": lambda claims: claims.update(exp=1, iat=0),
    "without an end": lambda claims: claims.pop("exp"),
    "of another issuer": lambda claims: claims.update(iss="https://evil.example"),
    "about nobody": lambda claims: claims.pop("sub"),
    "about no text": lambda claims: claims.update(sub=7),
    "about something that can't be": lambda claims: claims.update(sub="a\0b"),
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_a_token_that_is_not_for_this_sign_in_is_refused(
    browser: Callable[[], Browser], provider: Provider, spoil: Callable[[Claims], object]
) -> None:
    """It is signed, and all the same not the answer to what was asked."""
    provider.spoil = spoil
    ours = browser()
    refused = enter(ours)
    assert (refused.status_code, "the provider" in refused.text, ours.cookies) == (422, True, {})


SIGNED = [openid_provider.unsigned, openid_provider.signed_by_another, openid_provider.signed_with_our_secret]


@pytest.mark.parametrize("sign", [*SIGNED, lambda _claims: "no.token", lambda _claims: None])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    browser: Callable[[], Browser], provider: Provider, sign: Callable[[Claims], str]
) -> None:
    """By no key, another one, one that we have ourselves, or no token at all."""
    provider.sign = sign
    ours = browser()
    refused = enter(ours)
    assert (refused.status_code, "ID token is not one for us" in refused.text, ours.cookies) == (422, True, {})


def test_what_the_provider_refuses_is_said_and_recorded(
    browser: Callable[[], Browser], provider: Provider, database: Database
) -> None:
    """On the page with the other ways in; nothing that it sends is taken for markup."""
    provider.refuses_person = "<script>access_denied"
    assert "refused the sign-in: &lt;script&gt;access_denied" in enter(browser()).text
    provider.refuses_person, provider.refuses_code = None, "invalid_grant"
    assert "refused the sign-in: invalid_grant" in enter(browser()).text
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT count(*) FROM audit_event WHERE action LIKE 'authentication%'").fetchone()
    assert row is not None
    assert row[0] > 0


def test_an_answer_is_good_once_and_in_one_browser(browser: Callable[[], Browser]) -> None:
    """Not replayed, not in somebody else's browser, not with another state or none."""
    ours, theirs = browser(), browser()
    back = there(ours)
    there(theirs)
    state = parse_qs(urlsplit(back).query)["state"][0]
    for browser_, address in (
        (theirs, back),
        (browser(), back),
        (theirs, back.replace(state, "x")),
        (theirs, "/ui/openid/back?state=é&code=x"),
        (theirs, "/ui/openid/back"),
    ):
        refused = browser_.get(address)
        assert (refused.status_code, "not for a sign-in that began in this browser" in refused.text) == (422, True)
        assert not browser_.cookies
    assert ours.get(back).status_code == 303
    assert ours.get(back).status_code == 422


def test_a_provider_that_is_not_there_is_said(
    browser: Callable[[], Browser], app: Flask, provider: Provider, settings: Settings
) -> None:
    """Or one that claims to be another: the other ways in are still on the page."""
    provider.untrue = {"issuer": "https://evil.example"}
    refused = browser().get("/ui/openid")
    assert (refused.status_code, "does not answer as one" in refused.text) == (503, True)
    assert "With an API token" in refused.text
    provider.untrue = {"token_endpoint": "http://127.0.0.1:9/token"}
    refused = enter(browser())
    assert (refused.status_code, "does not answer as one: ConnectionError" in refused.text) == (503, True)
