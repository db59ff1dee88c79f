"""The page of the audit trail."""

import json
from collections.abc import Callable

from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import Page, put
from tests.integration.api.conftest import Caller


def test_the_trail_says_who_did_what(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """In words, with where it was from, and a way to the release; nothing that was typed runs."""
    declared = {"key": "rate_limit", "type": "int", "description": "<script>alert(1)</script>"}
    assert ops.post("/v1/namespaces/payments/keys", declared).status_code == 201
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("admin", name="<b>root</b>")
    page = Page(ours.get("/ui/audit").text)
    for part in ("ops", "release.", "key.declare", "rate_limit", "<b>root</b>", "token.create", "role admin"):
        assert part in page.text
    links = [attributes.get("href") for tag, attributes in page.tags if tag == "a"]
    assert "/ui/envs/development/releases/1" in links
    assert ("{" in page.text, page.may_run_something()) == (False, [])


def test_the_trail_is_narrowed(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """By environment, namespace, key, actor, action and time; what can't be one is said at its field."""
    put(ops, "rate_limit", 100, "int")
    put(ops, "currency", "EUR", "string", "staging")
    ours = signed_in("admin")
    release = "/releases/1"
    for query, found in (
        ("env=development", True),
        ("env=staging&namespace=payments", True),
        ("namespace=search", False),
        ("namespace=payments&key=rate_limit", True),
        ("actor=ops&action=release", True),
        ("actor=nobody", False),
        ("since=2026-01-01T00:00&until=2100-01-01T00:00", True),
        ("until=2001-01-01T00:00:00%2B02:00", False),
        ("env=&actor=&since=", True),
    ):
        answer = ours.get(f"/ui/audit?{query}")
        assert (answer.status_code, release in answer.text) == (200, found), query
    for query, status, said in (
        ("since=tomorrow", 422, "must be a time"),
        ("until=0001-01-01T00:00%2B02:00", 422, "must be a time"),
        ("key=rate_limit", 422, "say in which namespace"),
        ("actor=" + "a" * 201, 422, "more than 200 characters"),
        ("namespace=nowhere", 404, "there is no namespace nowhere"),
    ):
        answer = ours.get(f"/ui/audit?{query}")
        assert (answer.status_code, said in answer.text) == (status, True), query


def test_the_trail_goes_in_pages_and_is_taken_along(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Fifty at a time with the filter kept; the export has all that the filter names, one event a line."""
    for value in range(51):
        put(ops, "rate_limit", value, "int")
    ours = signed_in("viewer")
    page = Page(ours.get("/ui/audit?action=release").text)
    (older,) = [
        attributes["href"] or "" for tag, attributes in page.tags if "before=" in (attributes.get("href") or "")
    ]
    assert "action=release" in older
    assert "Release 1\n" in Page(ours.get(older).text).text
    export = ours.get("/ui/audit/export?action=release")
    events = [json.loads(line) for line in export.text.splitlines()]
    assert [event["revision"] for event in events] == list(range(51, 0, -1))
    assert events == ops.get("/v1/audit?action=release&limit=500").json["items"]
    assert "attachment" in export.headers["Content-Disposition"]
    assert ours.get("/ui/audit/export?since=x").status_code == 422


def test_the_trail_hides_what_one_may_not_read(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Others' namespaces and what is for admins are on neither page nor export."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("developer", "search", ["development"])
    for path in ("/ui/audit", "/ui/audit/export"):
        text = ours.get(path).text
        assert ("release." in text, "token.create" in text, "rate_limit" in text) == (False, False, False)
