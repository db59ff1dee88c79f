"""The pages for admins: tokens, grants and environments."""

import re
from collections.abc import Callable

import pytest
from flask import Flask

from tests.integration.admin.conftest import Browser
from tests.integration.admin.naughty import STRINGS
from tests.integration.admin.test_pages import Page
from tests.integration.api.conftest import Caller

GRANT = {"role": "developer", "namespaces": "pay*", "env": ["development", "staging"]}
ADMIN_PAGES = ("/ui/tokens", "/ui/tokens/new", "/ui/envs", "/ui/envs/development")


def made(ours: Browser, **fields: object) -> Caller:
    """Make a token by its form and return who has it."""
    ours.get("/ui/tokens/new")
    answer = ours.post("/ui/tokens/new", {"name": "checkout", **GRANT, **fields})
    assert answer.status_code == 201, answer.text
    (secret,) = re.findall(r'value="(cfg_[^"]+)"', answer.text)
    return Caller(ours.app, secret)


def test_a_token_is_made_and_shown_once(signed_in: Callable[..., Browser]) -> None:
    """It does what its grant says; afterwards no page has its secret, and its last use shows."""
    ours = signed_in("admin")
    theirs = made(ours, name="<b>checkout</b>", expires_at="2099-01-31T00:00")
    me = theirs.get("/v1/me").json
    assert (me["name"], me["principal"], me["expires_at"]) == (
        "<b>checkout</b>",
        "some-admin",
        "2099-01-31T00:00:00.000000Z",
    )
    assert me["grants"] == [{"role": "developer", "namespaces": "pay*", "envs": ["development", "staging"]}]
    pages = [ours.get(path) for path in ("/ui/tokens", f"/ui/tokens/{me['token_id']}", "/ui/audit")]
    for answer in pages:
        page = Page(answer.text)
        assert ("<b>checkout</b>" in page.text, page.may_run_something()) == (True, [])
        assert theirs.token not in answer.text
    for part in ("developer of pay* in development, staging", "2099-01-31 00:00:00 UTC", "never"):
        assert part in Page(pages[0].text).text


def test_a_token_that_cannot_be_is_refused_at_its_field(signed_in: Callable[..., Browser]) -> None:
    """With all that was typed still there, escaped."""
    ours = signed_in("admin")
    for fields, field in (
        ({"name": ""}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "some-admin"}, "name"),
        ({"expires_at": "2001-01-01T00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"role": "god"}, "role"),
        ({"namespaces": ""}, "namespaces"),
        ({"namespaces": "*a"}, "namespaces"),
        ({"env": []}, "envs"),
        ({"env": ["nowhere"]}, "envs"),
        ({"where": "all"}, "envs"),
    ):
        ours.get("/ui/tokens/new")
        answer = ours.post("/ui/tokens/new", {"name": "checkout", **GRANT, **fields})
        assert (answer.status_code, f'id="{field}-error"' in answer.text) == (
            409 if "some" in str(fields) else 422,
            True,
        )
    for text in STRINGS:
        ours.get("/ui/tokens/new")
        answer = ours.post("/ui/tokens/new", {"name": text, **GRANT, "namespaces": text})
        assert answer.status_code in (201, 422)  # some name a namespace
        assert not Page(answer.text).may_run_something()


def test_what_a_token_may_do_is_changed_and_ended(signed_in: Callable[..., Browser]) -> None:
    """A grant more; taking one back and revoking ask first, and then do it."""
    ours = signed_in("admin")
    theirs = made(ours)
    path = f"/ui/tokens/{theirs.get('/v1/me').json['token_id']}"
    ours.get(path)
    assert ours.post(f"{path}/grants", {"role": "viewer", "namespaces": "", "where": "all"}).status_code == 422
    assert ours.post(f"{path}/grants", {"role": "viewer", "namespaces": "search", "where": "all"}).status_code == 303
    ends = re.findall(rf'action="({path}/grants/\d+/remove)"', ours.get(path).text)
    assert len(ends) == 2
    for end, left in ((ends[0], 1), (f"{path}/revoke", None)):
        ours.get(path)
        assert "?" in Page(ours.post(end, {}).text).text
        assert theirs.get("/v1/me").status_code == 200
        assert ours.post(end, {"step": "save"}).status_code == 303
        grants = re.findall(r"/grants/\d+/remove", ours.get(path).text)
        assert len(grants) == (left or 0)
    assert theirs.put("/v1/namespaces/payments/envs/development/config/a", {}).status_code == 401
    ours.get("/ui/tokens")
    for gone in (ends[0], f"{path}/revoke", f"{path}/grants/x/remove"):
        assert ours.post(gone, {"step": "save"}).status_code == 404


def test_an_environment_is_made_and_protected(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Protection asks first and says what it means; what can't be is said at its field."""
    ours = signed_in("admin")
    ours.get("/ui/envs")
    wanted = {"name": "canary", "description": "<b>few</b>", "approvals": "2"}
    assert ours.post("/ui/envs", wanted).status_code == 303
    page = Page(ours.get("/ui/envs").text)
    assert ("canary" in page.text, "<b>few</b>" in page.text, page.may_run_something()) == (True, True, [])
    for fields, field, status in (
        ({"name": "canary"}, "name", 409),
        ({"name": "Canary"}, "name", 422),
        ({"approvals": "0"}, "approvals", 422),
        ({"approvals": "²"}, "approvals", 422),
        ({"description": "a" * 2_001}, "description", 422),
    ):
        answer = ours.post("/ui/envs", {**wanted, "name": "other", **fields})
        assert (answer.status_code, f'id="{field}-error"' in answer.text) == (status, True)
    assert 'value="2"' in ours.get("/ui/envs/canary").text
    change = {"description": "a few", "approvals": "2", "protected": "on"}
    assert "2 other people have approved" in Page(ours.post("/ui/envs/canary", change).text).text
    envs = {env["name"]: env for env in ops.get("/v1/envs").json["items"]}
    assert not envs["canary"]["review_required"]
    assert ours.post("/ui/envs/canary", {**ours.hidden(), "step": "save"}).status_code == 303
    (canary,) = [env for env in ops.get("/v1/envs").json["items"] if env["name"] == "canary"]
    assert (canary["review_required"], canary["approvals"], canary["description"]) == (True, 2, "a few")
    assert "no longer protected" in ours.post("/ui/envs/canary", {"approvals": "1"}).text
    assert ours.get("/ui/envs/nowhere").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "ops", "service"])
def test_administration_is_for_admins(signed_in: Callable[..., Browser], ops: Caller, role: str) -> None:
    """Others see no way there, and are refused where they go all the same, whatever they send."""
    token_id = ops.get("/v1/me").json["token_id"]
    ours = signed_in(role)
    assert "/ui/tokens" not in ours.get("/ui/").text
    for path in (*ADMIN_PAGES, f"/ui/tokens/{token_id}"):
        assert ours.get(path).status_code == 403, path
    for path, fields in (
        ("/ui/tokens/new", {"name": "mine", **GRANT}),
        (f"/ui/tokens/{token_id}/grants", GRANT),
        (f"/ui/tokens/{token_id}/grants", {}),
        (f"/ui/tokens/{token_id}/revoke", {"step": "save"}),
        (f"/ui/tokens/{token_id}/grants/1/remove", {"step": "save"}),
        ("/ui/envs", {"name": "mine"}),
        ("/ui/envs", {"approvals": "x"}),
        ("/ui/envs/development", {"step": "save"}),
        ("/ui/envs/development", {}),
    ):
        ours.get("/ui/")
        assert ours.post(path, fields).status_code == 403, path


def test_no_form_of_administration_is_taken_from_elsewhere(signed_in: Callable[..., Browser], app: Flask) -> None:
    """Without the mark of the session's pages, or from another site, an admin's browser changes nothing."""
    ours = signed_in("admin")
    forms = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ()) and
             rule.rule.startswith(("/ui/tokens", "/ui/envs"))]  # fmt: skip
    assert len(forms) >= 6
    for rule in forms:
        path = re.sub("<[^>]+>", "1", rule)
        ours.get("/ui/envs")
        assert ours.post(path, {"step": "save"}, csrf="0" * 80).status_code == 403, path
        assert ours.post(path, {"step": "save"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403, path
