"""Reads: ETags and 304, what may be kept by whom, pages of lists."""

from collections.abc import Callable

import pytest

from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging/config"
KEYS = "/v1/namespaces/payments/keys"


def test_a_scope_is_read_whole(ops: Caller) -> None:
    """``S/config`` shows every key that has a value, by name, at the scope's own last revision."""
    ops.put(f"{SCOPE}/b", {"value": "x", "type": "string"})
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    last = ops.put(f"{SCOPE}/b", {"value": "y"}).json
    ops.put("/v1/namespaces/search/envs/staging/config/a", {"value": 1, "type": "int"})
    answer = ops.get(SCOPE)
    assert answer.json == {
        "namespace": "payments",
        "env": "staging",
        "revision": 3,
        "cursor": last["cursor"],
        "values": {
            "a": {"value": 1, "type": "int", "version": 1, "secret": False},
            "b": {"value": "y", "type": "string", "version": 2, "secret": False},
        },
    }
    assert list(answer.json["values"]) == ["a", "b"]
    assert answer.content_type == "application/json"


def test_an_empty_scope_is_at_revision_0(ops: Caller) -> None:
    """A namespace without values has a scope in every environment, with a cursor and an ETag."""
    answer = ops.get(SCOPE)
    assert (answer.json["revision"], answer.json["values"]) == (0, {})
    assert ops.get(SCOPE, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.parametrize("path", [SCOPE, f"{SCOPE}/a"])
def test_what_is_unchanged_is_not_sent_again(ops: Caller, path: str) -> None:
    """If-None-Match with today's ETag, alone, weak, in a list or as ``*``, is 304; after a change it is 200."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    etag = ops.get(path).headers["ETag"]
    for header in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = ops.get(path, headers={"If-None-Match": header})
        assert (answer.status_code, answer.data) == (304, b""), header
        assert answer.headers["ETag"] == etag
        assert answer.headers["Vary"] == "Authorization"
        assert answer.headers["Cache-Control"] == "private, no-cache"
    for header in ('"r1"', "nonsense", ""):
        assert ops.get(path, headers={"If-None-Match": header}).status_code == 200, header
    ops.put(f"{SCOPE}/a", {"value": 2})
    answer = ops.get(path, headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["ETag"] != etag


def test_etags_have_the_promised_form(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """A scope has ``"r<cursor>"``, with ``.m`` for those who see secrets masked; one key has ``"v<version>"``."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    cursor = ops.get(SCOPE).json["cursor"]
    assert ops.get(SCOPE).headers["ETag"] == f'"r{cursor}.m"'
    assert caller("service").get(SCOPE).headers["ETag"] == f'"r{cursor}"'
    assert ops.get(f"{SCOPE}/a").headers["ETag"] == '"v1"'


def test_answers_are_not_kept_by_strangers(ops: Caller) -> None:
    """What depends on the token says so; everything else must not be stored; no browser guesses the content."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    for path in (SCOPE, f"{SCOPE}/a"):
        headers = ops.get(path).headers
        assert (headers["Cache-Control"], headers["Vary"]) == ("private, no-cache", "Authorization")
    for path in ("/v1/namespaces", KEYS, "/v1/envs", f"{SCOPE}/none", "/healthz"):
        assert ops.get(path).headers["Cache-Control"] == "no-store", path
    assert ops.get(SCOPE).headers["X-Content-Type-Options"] == "nosniff"


def test_head_answers_like_get_without_the_body(ops: Caller) -> None:
    """HEAD has GET's status and headers."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    for path in (SCOPE, f"{SCOPE}/a", KEYS):
        head, get = ops.send("HEAD", path), ops.get(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers.get("ETag") == get.headers.get("ETag")
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_a_list_comes_in_pages_newest_first(admin: Caller) -> None:
    """Following ``next`` gives every item once, newest first, also while others are added."""
    for number in range(7):
        assert admin.post(KEYS, {"key": f"k{number}", "type": "int"}).status_code == 201
    seen: list[str] = []
    page = admin.get(f"{KEYS}?limit=3").json
    admin.post(KEYS, {"key": "late", "type": "int"})
    while True:
        assert len(page["items"]) <= 3
        seen += [item["key"] for item in page["items"]]
        if page["next"] is None:
            break
        page = admin.get(f"{KEYS}?limit=3&cursor={page['next']}").json
    assert seen == [f"k{number}" for number in reversed(range(7))]
    assert admin.get(KEYS).json["items"][0]["key"] == "late"


def test_query_parameters_are_checked(ops: Caller) -> None:
    """An unknown, repeated, or unreadable query parameter is 400: a slip is no silent no."""
    bad = [
        f"{SCOPE}?limt=1",
        f"{SCOPE}/a?x",
        f"{KEYS}?limit=0",
        f"{KEYS}?limit=501",
        f"{KEYS}?limit=1.5",
        f"{KEYS}?limit=",
        f"{KEYS}?limit=-1",
        f"{KEYS}?limit=%D9%A1",
        f"{KEYS}?limit=1&limit=2",
        f"{KEYS}?cursor=x",
        f"{KEYS}?cursor={10**30}",
        "/v1/envs?env=staging",
        "/v1/namespaces?name=a",
        f"{SCOPE.removesuffix('config')}watch?since=x",
        f"{SCOPE.removesuffix('config')}watch?since=1.zz",
        f"{SCOPE.removesuffix('config')}watch?timeout=56",
        f"{SCOPE.removesuffix('config')}watch?timeout=-1",
        f"{SCOPE.removesuffix('config')}watch?wait=1",
    ]
    for path in bad:
        answer = ops.get(path)
        assert (answer.status_code, answer.json["code"]) == (400, "malformed"), path
    assert ops.put(f"{SCOPE}/a?force=true", {"value": 1, "type": "int"}).status_code == 400
    assert ops.get(f"{SCOPE}/a").status_code == 404


def test_what_is_created_has_an_address(admin: Caller) -> None:
    """Creating answers 201 with Location; a second one of the name is 409 and changes nothing."""
    cases = {
        "/v1/namespaces": {"name": "orders", "description": "d"},
        "/v1/envs": {"name": "qa", "review_required": True, "approvals": 2},
        KEYS: {"key": "limit", "type": "int", "description": "d"},
    }
    for path, body in cases.items():
        answer = admin.post(path, body)
        assert answer.status_code == 201, path
        assert answer.headers["Location"].startswith(path)
        assert answer.json | body == answer.json
        again = admin.post(path, body | {"description": "other"})
        assert (again.status_code, again.json["code"]) == (409, "conflict"), path
    assert admin.get(f"{KEYS}/limit").json["description"] == "d"
    assert admin.get(admin.post(KEYS, {"key": "b", "type": "int"}).headers["Location"]).json["key"] == "b"


def test_an_environment_can_be_protected_later(admin: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Protection takes effect with the next write; what a PATCH does not name stays."""
    developer = caller("developer")
    assert developer.put(f"{SCOPE}/a", {"value": 1, "type": "int"}).status_code == 200
    answer = admin.patch("/v1/envs/staging", {"review_required": True})
    assert (answer.status_code, answer.json["approvals"], answer.json["revision"]) == (200, 1, 1)
    assert answer.json["description"] != ""
    assert developer.put(f"{SCOPE}/a", {"value": 2}).status_code == 403
    assert admin.patch("/v1/envs/staging", {"review_required": False}).status_code == 200
    assert developer.put(f"{SCOPE}/a", {"value": 2}).status_code == 200


def test_a_key_with_a_value_is_not_deleted(ops: Caller) -> None:
    """Deleting a declaration takes that the key is unset everywhere; history keeps it, and its name is free again."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    answer = ops.delete(f"{KEYS}/a")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "staging" in answer.json["detail"]
    ops.delete(f"{SCOPE}/a")
    assert ops.delete(f"{KEYS}/a").status_code == 204
    assert ops.delete(f"{KEYS}/a").status_code == 404
    assert ops.put(f"{SCOPE}/a", {"value": "x", "type": "string"}).status_code == 200


def test_a_name_used_again_never_looks_like_the_old_one(ops: Caller) -> None:
    """A key that was deleted and declared anew goes on counting versions: no old ETag fits the new value."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    old = ops.get(f"{SCOPE}/a").headers["ETag"]
    ops.delete(f"{SCOPE}/a")
    ops.delete(f"{KEYS}/a")
    ops.put(f"{SCOPE}/a", {"value": "x", "type": "string"})
    assert ops.get(f"{SCOPE}/a", headers={"If-None-Match": old}).status_code == 200
    assert ops.put(f"{SCOPE}/a", {"value": "y"}, headers={"If-Match": old}).status_code == 412
