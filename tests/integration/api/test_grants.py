"""Tokens and grants over HTTP, and what a caller may do."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.integration.api.conftest import Caller

STAGING = "/v1/namespaces/payments/envs/staging/config"


def make(admin: Caller, app: Flask, name: str, **body: Any) -> tuple[dict[str, Any], Caller]:
    """Make a token; return what was said of it, and its bearer."""
    answer = admin.post("/v1/tokens", {"name": name, **body})
    assert answer.status_code == 201, answer.text
    return answer.json, Caller(app, answer.json["token"])


def test_a_token_is_shown_once_and_works(admin: Caller, app: Flask) -> None:
    """Its bearer may what its grants say; lists show everything but the secret."""
    grants = [{"role": "developer", "namespaces": "pay*", "envs": ["staging"]}]
    made, bearer = make(admin, app, "checkout-ci", grants=grants)
    assert made["grants"] == grants
    assert bearer.put(f"{STAGING}/a", {"value": 1, "type": "int"}).status_code == 200
    listed = admin.get("/v1/tokens")
    assert made["token"].split("_", 2)[2] not in listed.text
    (shown,) = [item for item in listed.json["items"] if item["id"] == made["id"]]
    assert (shown["name"], shown["created_by"], shown["principal"]) == ("checkout-ci", "admin", "admin")
    assert shown["last_used_at"] is not None
    assert [{name: grant[name] for name in grants[0]} for grant in shown["grants"]] == grants


def test_grants_come_and_go(admin: Caller, app: Flask) -> None:
    """Without one a token sees nothing; writes go by what it is at this moment."""
    made, bearer = make(admin, app, "nobody")
    assert bearer.put(f"{STAGING}/a", {"value": 1, "type": "int"}).status_code == 404
    answer = admin.post("/v1/grants", {"token_id": made["id"], "role": "ops", "namespaces": "payments"})
    assert answer.headers["Location"] == f"/v1/grants/{answer.json['id']}"
    assert bearer.put(f"{STAGING}/a", {"value": 1, "type": "int"}).status_code == 200
    listed = admin.get(f"/v1/grants?token_id={made['id']}").json["items"]
    assert [(item["role"], item["token"], item["envs"]) for item in listed] == [("ops", "nobody", None)]
    assert admin.delete(answer.headers["Location"]).status_code == 204
    assert bearer.put(f"{STAGING}/a", {"value": 2}).status_code == 404
    assert admin.delete(answer.headers["Location"]).status_code == 404


def test_a_revoked_token_is_gone(admin: Caller, app: Flask) -> None:
    """From the next write on; its name is free again."""
    made, bearer = make(admin, app, "bot", grants=[{"role": "ops"}])
    assert admin.delete(f"/v1/tokens/{made['id']}").status_code == 204
    assert bearer.put(f"{STAGING}/a", {"value": 1, "type": "int"}).status_code == 401
    assert made["id"] not in [item["id"] for item in admin.get("/v1/tokens").json["items"]]
    assert admin.post("/v1/grants", {"token_id": made["id"], "role": "ops"}).status_code == 422
    assert admin.post("/v1/tokens", {"name": "bot"}).status_code == 201
    assert admin.post("/v1/tokens", {"name": "bot"}).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"grants": [{"role": "root"}]}, "grants[0].role"),
        ({"grants": [{"role": "ops", "namespaces": "*pay"}]}, "grants[0].namespaces"),
        ({"grants": [{"role": "ops", "envs": ["stagin"]}]}, "grants[0].envs"),
        ({"grants": [{"role": "ops", "envs": []}]}, "grants[0].envs"),
        ({"name": "new\nline"}, "name"),
    ],
)
def test_slips_are_named(admin: Caller, body: dict[str, Any], field: str) -> None:
    """A token that could not mean what was meant is not made."""
    answer = admin.post("/v1/tokens", {"name": "bot", **body})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_pages_of_tokens_meet(admin: Caller) -> None:
    """Page by page, every token stands there once."""
    for number in range(5):
        admin.post("/v1/tokens", {"name": f"bot-{number}"})
    names, cursor = [], ""
    while cursor is not None:
        page = admin.get("/v1/tokens", query_string={"limit": "2"} | ({"cursor": cursor} if cursor else {})).json
        names += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert names[:5] == [f"bot-{number}" for number in reversed(range(5))]
    assert len(names) == len(set(names)) == 10


def test_me_says_what_one_may_do(caller: Callable[[str | None], Caller], limited: Callable[..., Caller]) -> None:
    """Anywhere, or in one scope: where a review is required nobody writes directly."""

    def may(who: Caller, query: str = "") -> set[str]:
        return set(who.get(f"/v1/me{query}").json["may"])

    production, staging = ("?namespace=payments&env=production", "?namespace=payments&env=staging")
    assert may(caller("viewer")) == {"read"}
    assert may(caller("service")) == {"read", "read_secrets"}
    assert may(caller("developer"), staging) == {"read", "declare", "write", "propose"}
    assert may(caller("developer"), production) == {"read", "declare", "propose"}
    assert may(caller("ops"), production) == {"read", "declare", "propose", "approve", "reveal", "break_glass"}
    assert "administer" in may(caller("admin"))
    narrow = limited("developer", "search", ["staging"])
    assert narrow.get(f"/v1/me{staging}").status_code == 404
    assert narrow.get("/v1/me?namespace=search").status_code == 400
    me = narrow.get("/v1/me").json
    assert me["grants"] == [{"role": "developer", "namespaces": "search", "envs": ["staging"]}]
    assert (me["principal"], me["expires_at"]) == (me["name"], None)
