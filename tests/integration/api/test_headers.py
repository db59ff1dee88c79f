"""Headers of every answer, and where a request comes from."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask, Response

from configsvc.settings import Settings
from tests.fix_database import Database
from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging/config"
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def test_every_answer_has_the_security_headers(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Success, not modified, every kind of error, with and without a token; each header once."""
    etag = ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).headers.get("ETag", '"v1"')
    answers = [
        ops.get(SCOPE),
        ops.get(f"{SCOPE}/a", headers={"If-None-Match": etag}),
        ops.put(f"{SCOPE}/a", b"{"),
        ops.post(SCOPE, {}),
        ops.get("/v1/nothing"),
        caller(None).get(SCOPE),
        caller(None).get("/healthz"),
        caller(None).get("/openapi.json"),
    ]
    assert {answer.status_code for answer in answers} >= {200, 304, 400, 401, 404, 405}
    for answer in answers:
        assert {name: answer.headers.getlist(name) for name in ALWAYS} == {name: [ALWAYS[name]] for name in ALWAYS}


def test_a_page_may_have_a_policy_of_its_own(app: Flask, caller: Callable[[str | None], Caller]) -> None:
    """What a view sets itself stands; the others are added."""

    def page() -> Response:
        return Response("", headers={"Content-Security-Policy": "default-src 'self'"})

    app.view_functions["health.healthz"] = page
    answer = caller(None).get("/healthz")
    assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'self'"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """As always, or behind as many proxies as the test says."""
    return settings.model_copy(update={"trusted_proxies": getattr(request, "param", 0)})


@pytest.fixture
def address_of(admin: Caller, database: Database) -> Callable[..., str]:
    """Makes a namespace in a request with these headers; what the audit says of its address."""

    def make(*forwarded: str, peer: str = "10.0.0.9") -> str:
        headers: Any = [("Authorization", f"Bearer {admin.token}")]
        headers += [("X-Forwarded-For", value) for value in forwarded]
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            count = connection.execute("SELECT count(*) FROM audit_event").fetchone()
            answer = admin.app.test_client().post(
                "/v1/namespaces",
                json={"name": f"n{count[0] if count else 0}"},
                headers=headers,
                environ_overrides={"REMOTE_ADDR": peer},
            )
            assert answer.status_code == 201, answer.text
            row = connection.execute("SELECT address FROM audit_event ORDER BY id DESC LIMIT 1").fetchone()
        assert row is not None
        return str(row[0])

    return make


def test_without_proxies_nobody_is_believed(address_of: Callable[..., str]) -> None:
    """The audit has the peer's address, whatever X-Forwarded-For says."""
    assert address_of() == "10.0.0.9"
    assert address_of("203.0.113.7") == "10.0.0.9"
    assert address_of(peer="2001:db8:0::9") == "2001:db8::9"


@pytest.mark.parametrize("settings", [1], indirect=True)
def test_behind_a_proxy_its_word_counts(address_of: Callable[..., str]) -> None:
    """The last entry is the proxy's own; what a caller has put before it is not believed. Ports are left out."""
    assert address_of("203.0.113.7") == "203.0.113.7"
    assert address_of("6.6.6.6, 203.0.113.7") == "203.0.113.7"
    assert address_of("6.6.6.6", "203.0.113.7") == "203.0.113.7"
    assert address_of("203.0.113.7:51234") == "203.0.113.7"
    assert address_of("[2001:db8::7]:51234") == "2001:db8::7"
    assert address_of("unknown") == "10.0.0.9"
    assert address_of() == "10.0.0.9"


@pytest.mark.parametrize("settings", [2], indirect=True)
def test_behind_two_proxies_the_outer_ones_word_counts(address_of: Callable[..., str]) -> None:
    """As many entries from the right as there are proxies; with fewer, the request came another way: the peer's."""
    assert address_of("6.6.6.6, 203.0.113.7, 10.0.0.1") == "203.0.113.7"
    assert address_of("203.0.113.7, 10.0.0.1") == "203.0.113.7"
    assert address_of("203.0.113.7") == "10.0.0.9"
