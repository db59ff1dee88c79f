"""What was: versions, releases, past states and differences, as far as the caller may see them."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging"
SEARCH = "/v1/namespaces/search/envs/staging"
RELEASES = "/v1/envs/staging/releases"


def put(caller: Caller, key: str, value: object, scope: str = SCOPE, **more: object) -> dict[str, Any]:
    """Set a key, declared with the first value."""
    types = {int: "int", str: "string", bool: "bool", float: "float"}
    answer = caller.put(f"{scope}/config/{key}", {"value": value, "type": types[type(value)], **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def unset(caller: Caller, key: str, scope: str = SCOPE) -> None:
    """Unset a key."""
    assert caller.delete(f"{scope}/config/{key}").status_code == 200


def redeclare(caller: Caller, key: str, type_: str) -> None:
    """Delete a key's declaration, and declare it anew."""
    assert caller.delete(f"/v1/namespaces/payments/keys/{key}").status_code == 204
    assert caller.post("/v1/namespaces/payments/keys", {"key": key, "type": type_}).status_code == 201


def pages(caller: Caller, path: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    """All pages of a list."""
    cursor = ""
    while True:
        glue = "&" if "?" in path else "?"
        page = caller.get(f"{path}{glue}limit={limit}{cursor}").json
        assert len(page["items"]) <= limit
        yield page["items"]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"


def values(caller: Caller, query: str = "", scope: str = SCOPE) -> dict[str, object]:
    """What a scope shows."""
    answer = caller.get(f"{scope}/config{query}")
    assert answer.status_code == 200, answer.text
    return {key: entry["value"] for key, entry in answer.json["values"].items()}


def test_versions_tell_who_did_what(ops: Caller) -> None:
    """Newest first; each with its value, author, note and release; a delete is one, too; exactly one is active."""
    put(ops, "limit", 1, note="first")
    put(ops, "other", 1)
    put(ops, "limit", 2)
    unset(ops, "limit")
    ops.post(f"{SCOPE}/config/limit/rollback", {"version": 1, "note": "back"})
    items = ops.get(f"{SCOPE}/config/limit/versions").json["items"]
    told = [
        (item["version"], item["revision"], item["value"], item["deleted"], item["kind"], item["note"])
        for item in items
    ]
    assert told == [
        (4, 5, 1, False, "rollback", "back"),
        (3, 4, None, True, "edit", ""),
        (2, 3, 2, False, "edit", ""),
        (1, 1, 1, False, "edit", "first"),
    ]
    assert [item["active"] for item in items] == [True, False, False, False]
    assert {item["changed_by"] for item in items} == {"ops"}
    times = [datetime.fromisoformat(item["created_at"]) for item in items]
    assert times == sorted(times, reverse=True)


def test_versions_go_on_through_declarations(ops: Caller) -> None:
    """A name that was deleted and declared anew shows its whole past, and its numbers go on."""
    put(ops, "limit", 1)
    unset(ops, "limit")
    redeclare(ops, "limit", "string")
    put(ops, "limit", "a")
    items = ops.get(f"{SCOPE}/config/limit/versions").json["items"]
    assert [(item["version"], item["type"], item["value"]) for item in items] == [
        (3, "string", "a"), (2, "int", None), (1, "int", 1)
    ]  # fmt: skip
    assert [item["active"] for item in items] == [True, False, False]


def test_versions_of_what_is_not_there(ops: Caller, limited: Callable[..., Caller]) -> None:
    """A key without a value has no versions; an unknown key, environment or namespace is 404, like a hidden one."""
    ops.post("/v1/namespaces/payments/keys", {"key": "limit", "type": "int"})
    assert ops.get(f"{SCOPE}/config/limit/versions").json == {"items": [], "next": None}
    for path in (
        f"{SCOPE}/config/nobody/versions",
        "/v1/namespaces/payments/envs/nowhere/config/limit/versions",
        "/v1/namespaces/nobody/envs/staging/config/limit/versions",
    ):
        assert ops.get(path).status_code == 404, path
    put(ops, "limit", 1)
    assert limited("viewer", "search").get(f"{SCOPE}/config/limit/versions").status_code == 404
    assert limited("viewer", "payments", ["production"]).get(f"{SCOPE}/config/limit/versions").status_code == 404


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
def test_paging_gives_each_item_once(ops: Caller, limit: int) -> None:
    """Whatever the size of a page, all pages together are the whole list."""
    for number in range(6):
        put(ops, "limit", number)
    for path, name in ((f"{SCOPE}/config/limit/versions", "version"), (RELEASES, "revision")):
        found = [item[name] for page in pages(ops, path, limit) for item in page]
        assert found == [6, 5, 4, 3, 2, 1]


def test_paging_is_stable_while_others_write(ops: Caller) -> None:
    """Releases that come in between shift nothing: who has begun a list sees it as it was at the beginning."""
    for number in range(6):
        put(ops, "limit", number)
    for path, name in ((f"{SCOPE}/config/limit/versions", "version"), (RELEASES, "revision")):
        newest = ops.get(f"{path}?limit=1").json["items"][0][name]
        found = []
        for page in pages(ops, path, 2):
            found += [item[name] for item in page]
            put(ops, "limit", 100 + len(found) * newest)
        assert found == list(range(newest, 0, -1))


def test_bad_pages_are_refused(ops: Caller) -> None:
    """A limit or a cursor out of bounds, unknown and doubled parameters are 400."""
    put(ops, "limit", 1)
    for query in ("limit=0", "limit=501", "limit=x", "limit=", "cursor=-1", "cursor=1.5", "page=2", "limit=1&limit=2"):
        for path in (f"{SCOPE}/config/limit/versions", RELEASES):
            assert ops.get(f"{path}?{query}").status_code == 400, (path, query)


def test_releases_by_namespace(ops: Caller) -> None:
    """The list can be narrowed to what touches one namespace; a release over two is in both lists."""
    put(ops, "a", 1)
    put(ops, "a", 1, SEARCH)
    both = [{"namespace": name, "key": "a", "value": 2} for name in ("payments", "search")]
    assert ops.post(RELEASES, {"changes": both, "note": "both"}).status_code == 200

    def revisions(query: str) -> list[int]:
        return [item["revision"] for item in ops.get(f"{RELEASES}{query}").json["items"]]

    assert revisions("") == [3, 2, 1]
    assert revisions("?namespace=payments") == [3, 1]
    assert revisions("?namespace=search") == [3, 2]
    assert ops.get(f"{RELEASES}?namespace=nobody").status_code == 404
    (newest, *_) = ops.get(RELEASES).json["items"]
    assert (newest["kind"], newest["note"], newest["namespaces"]) == ("edit", "both", ["payments", "search"])
    one = ops.get(f"{RELEASES}/3").json
    assert one["cursor"] == newest["cursor"]
    assert [(change["namespace"], change["key"], change["value"], change["version"]) for change in one["changes"]] == [
        ("payments", "a", 2, 2),
        ("search", "a", 2, 2),
    ]
    for revision, status in (("0", 404), ("4", 404), ("x", 400), ("-1", 400), ("99999999999999999999", 400)):
        assert ops.get(f"{RELEASES}/{revision}").status_code == status, revision


def test_releases_show_what_may_be_seen(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Who sees one namespace sees its releases and its part of shared ones; paging goes on over hidden ones."""
    for number in range(5):
        put(ops, "a", number, SEARCH)
    put(ops, "a", 1)
    both = [{"namespace": name, "key": "a", "value": 9} for name in ("payments", "search")]
    ops.post(RELEASES, {"changes": both})
    narrow = limited("viewer", "payments")
    found = [item for page in pages(narrow, RELEASES, 2) for item in page]
    assert [(item["revision"], item["namespaces"]) for item in found] == [(7, ["payments"]), (6, ["payments"])]
    assert [change["namespace"] for change in narrow.get(f"{RELEASES}/7").json["changes"]] == ["payments"]
    assert narrow.get(f"{RELEASES}/1").status_code == 404
    assert narrow.get(f"{RELEASES}?namespace=search").status_code == 404
    assert limited("viewer", "payments", ["production"]).get(RELEASES).status_code == 404


def test_every_past_state_can_be_read(ops: Caller) -> None:
    """By revision and by time, with the ETag of the scope at that moment; the future and nonsense are refused."""
    put(ops, "a", 1)
    put(ops, "b", 1, SEARCH)
    put(ops, "a", 2)
    unset(ops, "a")
    states: list[dict[str, object]] = [{}, {"a": 1}, {"a": 1}, {"a": 2}, {}]
    items = {item["revision"]: item for item in ops.get(RELEASES).json["items"]}
    for revision, state in enumerate(states):
        assert values(ops, f"?revision={revision}") == state
        if revision:
            at = datetime.fromisoformat(items[revision]["created_at"])
            assert values(ops, f"?at={quote(at.isoformat())}") == state, "a release counts from its own moment on"
            before = at - timedelta(microseconds=1)
            assert values(ops, f"?at={quote(before.isoformat())}") == states[revision - 1]
            answer = ops.get(f"{SCOPE}/config?revision={revision}")
            scope_last = max(number for number in (1, 3, 4, 0) if number <= revision)
            assert answer.json["revision"] == scope_last, "named by the scope's last release, as the present one is"
            assert scope_last == 0 or answer.json["cursor"] == items[scope_last]["cursor"]
            headers = {"If-None-Match": answer.headers["ETag"]}
            assert ops.get(f"{SCOPE}/config?revision={revision}", headers=headers).status_code == 304
    assert values(ops, "?at=2999-01-01T00:00:00Z") == {}
    for query, status in (
        ("revision=5", 404), ("revision=-1", 400), ("revision=x", 400), ("revision=1&at=2999-01-01T00:00:00Z", 400),
        ("at=2000-01-01T00:00:00Z", 404), ("at=2999-01-01T00:00:00", 400), ("at=yesterday", 400), ("at=", 400),
    ):  # fmt: skip
        assert ops.get(f"{SCOPE}/config?{query}").status_code == status, query


def test_the_past_of_a_redeclared_key(ops: Caller) -> None:
    """A past state shows a key with the type and value that it had then."""
    put(ops, "limit", 1)
    unset(ops, "limit")
    redeclare(ops, "limit", "string")
    put(ops, "limit", "a")
    assert ops.get(f"{SCOPE}/config?revision=1").json["values"]["limit"] == {
        "value": 1, "type": "int", "version": 1, "secret": False
    }  # fmt: skip
    assert values(ops, "?revision=2") == {}
    assert values(ops) == {"limit": "a"}


def test_a_difference_in_both_directions(ops: Caller) -> None:
    """Changed, new and gone keys, each with both states; the other way round they swap; what came and went is none."""
    put(ops, "stays", 1)
    put(ops, "changes", 1)
    put(ops, "goes", 1)
    put(ops, "returns", 1)
    start = put(ops, "elsewhere", 1, SEARCH)["revision"]
    put(ops, "changes", 2)
    unset(ops, "goes")
    put(ops, "comes", 1)
    put(ops, "returns", 2)
    put(ops, "returns", 1)
    put(ops, "came", 1)
    unset(ops, "came")
    end = put(ops, "elsewhere", 2, SEARCH)["revision"]

    there = ops.get(f"{SCOPE}/diff?from={start}&to={end}").json
    assert (there["namespace"], there["env"], there["from"], there["to"]) == ("payments", "staging", start, end)
    assert there["changes"] == [
        {"key": "changes", "type": "int", "from": {"version": 1, "value": 1}, "to": {"version": 2, "value": 2}},
        {"key": "comes", "type": "int", "from": None, "to": {"version": 1, "value": 1}},
        {"key": "goes", "type": "int", "from": {"version": 1, "value": 1}, "to": None},
    ]
    back = ops.get(f"{SCOPE}/diff?from={end}&to={start}").json["changes"]
    assert back == [{**change, "from": change["to"], "to": change["from"]} for change in there["changes"]]
    assert ops.get(f"{SCOPE}/diff?from={start}").json == there, "without an end it is the newest"
    assert ops.get(f"{SCOPE}/diff?from={end}&to={end}").json["changes"] == []
    assert {change["key"] for change in ops.get(f"{SCOPE}/diff?from=0").json["changes"]} == {
        "stays", "changes", "comes", "returns"
    }  # fmt: skip


def test_a_difference_over_declarations(ops: Caller) -> None:
    """A key declared anew with its old type and value does not differ; with another type one goes, and one comes."""
    put(ops, "same", 1)
    put(ops, "other", 1)
    for key, type_, value in (("same", "int", 1), ("other", "string", "1")):
        unset(ops, key)
        redeclare(ops, key, type_)
        put(ops, key, value)
    changes = ops.get(f"{SCOPE}/diff?from=2").json["changes"]
    assert sorted(changes, key=lambda change: str(change["type"])) == [
        {"key": "other", "type": "int", "from": {"version": 1, "value": 1}, "to": None},
        {"key": "other", "type": "string", "from": None, "to": {"version": 3, "value": "1"}},
    ]


def test_a_bad_difference_is_refused(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Bounds that are missing or no revisions are 400; revisions that are not there, and hidden scopes, 404."""
    put(ops, "a", 1)
    for query, status in (
        ("", 400), ("?to=1", 400), ("?from=x", 400), ("?from=-1", 400), ("?from=", 400), ("?from=0&to=", 400),
        ("?from=0&at=1", 400), ("?from=2", 404), ("?from=0&to=2", 404),
    ):  # fmt: skip
        assert ops.get(f"{SCOPE}/diff{query}").status_code == status, query
    assert limited("viewer", "search").get(f"{SCOPE}/diff?from=0").status_code == 404
    assert ops.get("/v1/namespaces/nobody/envs/staging/diff?from=0").status_code == 404


def test_pages_and_past_states_under_writers(ops: Caller) -> None:
    """While others write, a past state never changes, and every page is without gaps."""
    put(ops, "a", 0)
    done = threading.Event()

    def write() -> None:
        for number in range(1, 60):
            put(ops, "a", number)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    rounds = 0
    while not done.is_set() or rounds == 0:
        found = [item["revision"] for page in pages(ops, RELEASES, 7) for item in page]
        assert found == list(range(found[0], 0, -1))
        assert values(ops, f"?revision={found[0]}") == {"a": found[0] - 1}
        rounds += 1
    writer.join(30)
    assert not writer.is_alive()
