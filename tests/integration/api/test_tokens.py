"""Tokens: who gets in, and for how long."""

import re
from collections.abc import Callable

import psycopg
import pytest
from flask import Flask

from tests.fix_database import Database
from tests.integration.api.conftest import Caller, rules

SCOPE = "/v1/namespaces/payments/envs/staging/config"


def test_nothing_but_a_whole_token_opens_the_door(app: Flask, ops: Caller) -> None:
    """A missing, cut, longer, unknown or wrongly presented token is 401, for reads and writes alike."""
    assert ops.token is not None
    _, token_id, secret = ops.token.split("_", 2)
    headers = [
        None,
        "",
        "Bearer",
        "Bearer ",
        f"Basic {ops.token}",
        ops.token,
        f"Bearer {ops.token}x",
        f"Bearer {ops.token[:-1]}",
        f"Bearer {ops.token} {ops.token}",
        f"Bearer {ops.token}, Bearer {ops.token}",
        f"Bearer cfg_{token_id}_{'A' * 43}",
        f"Bearer cfg_{'0' * 12}_{secret}",
        f"Bearer cfg_{token_id}_{'é' * 43}",
        f"Bearer {ops.token.upper()}",
        "Bearer ' OR 1=1 --",
        f"Bearer {'x' * 8000}",
    ]
    for header in headers:
        stranger = Caller(app, None)
        options = {} if header is None else {"headers": {"Authorization": header}}
        for answer in (stranger.get(SCOPE, **options), stranger.put(f"{SCOPE}/a", {"value": 1}, **options)):
            assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), header
            assert secret not in answer.text
    for header in (f"bearer {ops.token}", f"BEARER   {ops.token} "):
        assert Caller(app, None).get(SCOPE, headers={"Authorization": header}).status_code == 200


def test_every_address_asks_for_a_token(app: Flask) -> None:
    """No route but health and the API's description answers without one; what is not there is so for everybody."""
    for rule in rules(app):
        path = rule.rule.replace("<namespace>", "payments").replace("<env>", "staging")
        path = re.sub("<key>|<[a-z]+_id>|<revision>", "1", path)
        assert "<" not in path
        expected = 200 if path in ("/healthz", "/readyz", "/openapi.json") else 401
        for method in rule.methods or ():
            assert Caller(app, None).send(method, path).status_code == expected, (method, path)


def test_the_last_moment_of_the_calendar_is_one(admin: Caller) -> None:
    """A token may live until then, and is shown with it; a moment after it, in UTC, is refused."""
    wanted = {"name": "eternal", "grants": [{"role": "viewer"}]}
    last = "9999-12-31T23:59:59.999999Z"
    made = admin.post("/v1/tokens", wanted | {"expires_at": last})
    assert (made.status_code, made.json["expires_at"]) == (201, last)
    shown = {token["name"]: token["expires_at"] for token in admin.get("/v1/tokens").json["items"]}
    assert shown["eternal"] == last
    refused = admin.post("/v1/tokens", wanted | {"expires_at": "9999-12-31T23:59:59-01:00"})
    assert refused.status_code in (400, 422)


@pytest.mark.parametrize("ending", ["revoked_at = clock_timestamp()", "expires_at = clock_timestamp()"])
def test_a_token_that_ended_writes_nothing_more(
    database: Database, limited: Callable[..., Caller], ending: str
) -> None:
    """A write asks the database each time: the first one after a token was revoked or ran out is refused."""
    short = limited("ops")
    assert short.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).status_code == 200
    assert short.get(SCOPE).status_code == 200
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(f"UPDATE token SET {ending} WHERE name = 'limited-0'")
    answer = short.put(f"{SCOPE}/a", {"value": 2})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")


def test_a_token_that_never_was_here_is_looked_up(database: Database, limited: Callable[..., Caller]) -> None:
    """A token that ended before this process saw it is refused at its first read."""
    late = limited("viewer")
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE token SET expires_at = clock_timestamp() WHERE name = 'limited-0'")
    assert late.get(SCOPE).status_code == 401


def test_a_token_without_grants_sees_nothing(database: Database, limited: Callable[..., Caller]) -> None:
    """Without any grant, lists are empty, scopes are not there, and nothing can be made."""
    nobody = limited("admin")
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("DELETE FROM access_grant WHERE token_id = (SELECT id FROM token WHERE name = 'limited-0')")
    assert nobody.get("/v1/namespaces").json["items"] == []
    assert nobody.get("/v1/envs").json["items"] == []
    assert nobody.get(SCOPE).status_code == 404
    assert nobody.post("/v1/namespaces", {"name": "mine"}).status_code == 403
