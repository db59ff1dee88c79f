"""Writes: batches and releases are all or nothing; conditions, repeats and no-ops do what they say."""

import threading
from collections.abc import Callable

import pytest

from tests.integration.api.conftest import BREAK_GLASS, Caller

STAGING = "/v1/namespaces/payments/envs/staging/config"
PRODUCTION = "/v1/namespaces/payments/envs/production/config"
RELEASES = "/v1/envs/staging/releases"


@pytest.fixture
def keys(ops: Caller) -> list[str]:
    """Three declared int keys, without a value anywhere."""
    names = ["a", "b", "c"]
    for namespace in ("payments", "search"):
        for name in names:
            assert ops.post(f"/v1/namespaces/{namespace}/keys", {"key": name, "type": "int"}).status_code == 201
    return names


def values(caller: Caller, namespace: str = "payments", env: str = "staging") -> dict[str, object]:
    """The present values of a scope."""
    scope = caller.get(f"/v1/namespaces/{namespace}/envs/{env}/config").json
    return {key: entry["value"] for key, entry in scope["values"].items()}


def revision(caller: Caller, env: str = "staging") -> int:
    """The environment's newest revision."""
    return next(row["revision"] for row in caller.get("/v1/envs").json["items"] if row["name"] == env)


def test_a_write_answers_what_it_did(ops: Caller) -> None:
    """The answer has the environment's new revision and cursor, and each change with its version."""
    answer = ops.put(f"{STAGING}/limit", {"value": 5, "type": "int", "note": "first"})
    assert answer.status_code == 200
    cursor = answer.json["cursor"]
    change = {"namespace": "payments", "key": "limit", "version": 1, "type": "int", "value": 5}
    assert answer.json == {"env": "staging", "revision": 1, "cursor": cursor, "changed": True, "changes": [change]}
    assert cursor.startswith("1.")
    gone = ops.delete(f"{STAGING}/limit").json
    assert gone["changes"] == [{"namespace": "payments", "key": "limit", "version": 2, "type": "int", "deleted": True}]
    assert ops.get(f"{STAGING}/limit").status_code == 404
    assert ops.put(f"{STAGING}/limit", {"value": 5}).json["changes"][0]["version"] == 3


def test_setting_the_same_value_changes_nothing(ops: Caller) -> None:
    """A no-op makes no release, names the present revision, and says so; for a batch, a release and a delete, too."""
    first = ops.put(f"{STAGING}/limit", {"value": 5, "type": "int"}).json
    ops.put(f"{STAGING}/other", {"value": 1, "type": "int"})
    calls = [
        ("PUT", f"{STAGING}/limit", {"value": 5}),
        ("PUT", f"{STAGING}/limit", {"value": 5, "type": "int"}),
        ("PATCH", STAGING, {"changes": [{"key": "limit", "value": 5}, {"key": "other", "value": 1}]}),
        ("POST", RELEASES, {"changes": [{"namespace": "payments", "key": "limit", "value": 5}]}),
    ]
    for method, path, body in calls:
        answer = ops.send(method, path, body).json
        assert (answer["changed"], answer["changes"], answer["revision"]) == (False, [], 2), (method, path)
    assert first["revision"] == 1
    ops.delete(f"{STAGING}/limit")
    assert ops.delete(f"{STAGING}/limit").json["changed"] is False
    assert revision(ops) == 3


def test_a_batch_tells_apart_what_changed(ops: Caller, keys: list[str]) -> None:
    """Keys that already have their value are not part of the release; what stays is named nowhere in it."""
    ops.patch(STAGING, {"changes": [{"key": "a", "value": 1}, {"key": "b", "value": 1}]})
    answer = ops.patch(
        STAGING, {"changes": [{"key": "b", "delete": True}, {"key": "a", "value": 1}, {"key": "c", "value": 3}]}
    ).json
    assert [(change["key"], change["version"]) for change in answer["changes"]] == [("b", 2), ("c", 1)]
    assert answer["revision"] == 2
    assert values(ops) == {"a": 1, "c": 3}


def test_one_bad_change_writes_nothing(ops: Caller, keys: list[str]) -> None:
    """A batch with one wrong type, unknown key, twin or empty change is refused whole, and its place named."""
    good = {"key": "a", "value": 1}
    bad = {
        "changes[1].value": {"key": "b", "value": "1"},
        "changes[1].key": {"key": "nobody", "value": 1},
        "changes[1]": {"key": "b"},
    }
    for field, change in bad.items():
        answer = ops.patch(STAGING, {"changes": [good, change]})
        assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])
        named = [{"namespace": "payments", **good}, {"namespace": "search", **change}]
        answer = ops.post(RELEASES, {"changes": named})
        assert (answer.status_code, [error["field"] for error in answer.json["errors"]]) == (422, [field])
    for twin in (good, {"key": "a", "value": 2}, {"key": "a", "delete": True}):
        assert ops.patch(STAGING, {"changes": [good, twin]}).status_code == 422
    assert revision(ops) == 0
    assert values(ops) == {}


def test_a_change_is_a_value_or_a_delete(ops: Caller, keys: list[str]) -> None:
    """Both, neither, or a delete that is not true is refused: a typing slip must not unset a setting."""
    changes: list[object] = [
        {"key": "a"},
        {"key": "a", "value": 1, "delete": True},
        {"key": "a", "delete": False},
        {"key": "a", "delete": 1},
        {"key": "a", "delete": 1.0},
        {"key": "a", "delete": "true"},
        {"value": 1},
        {"key": None, "value": 1},
        {"key": "", "value": 1},
        {"key": 5, "value": 1},
        "a",
        None,
    ]
    for change in changes:
        answer = ops.patch(STAGING, {"changes": [change]})
        assert (answer.status_code, answer.json["code"]) == (422, "validation_failed"), change
    too_many = [{"namespace": "payments", "key": f"k{number}", "value": 1} for number in range(10_001)]
    for body in ({}, {"changes": []}, {"changes": {}}, {"changes": None}, {"changes": too_many}):
        assert ops.patch(STAGING, body).status_code == 422
        assert ops.post(RELEASES, body).status_code == 422


def test_a_release_spans_namespaces(ops: Caller, keys: list[str]) -> None:
    """One release sets and unsets keys of several namespaces at one revision; the answer lists them by name."""
    ops.put("/v1/namespaces/search/envs/staging/config/a", {"value": 9})
    changes = [
        {"namespace": "search", "key": "a", "delete": True},
        {"namespace": "payments", "key": "a", "value": 1},
        {"namespace": "search", "key": "b", "value": 2},
    ]
    answer = ops.post(RELEASES, {"changes": changes, "note": "together"})
    assert answer.status_code == 200
    assert answer.json["revision"] == 2
    assert [(change["namespace"], change["key"]) for change in answer.json["changes"]] == [
        ("payments", "a"),
        ("search", "a"),
        ("search", "b"),
    ]
    assert (values(ops), values(ops, "search")) == ({"a": 1}, {"b": 2})
    for namespace in ("payments", "search"):
        assert ops.get(f"/v1/namespaces/{namespace}/envs/staging/config").json["revision"] == 2


def test_a_release_with_one_forbidden_namespace_writes_nothing(
    ops: Caller, keys: list[str], limited: Callable[..., Caller]
) -> None:
    """Rights are asked for every namespace of a release before anything is written."""
    narrow = limited("ops", "payments")
    changes = [{"namespace": name, "key": "a", "value": 1} for name in ("payments", "search")]
    assert narrow.post(RELEASES, {"changes": changes}).status_code == 404
    assert narrow.post(RELEASES, {"changes": changes[:1]}).status_code == 200
    assert (values(ops), values(ops, "search")) == ({"a": 1}, {})


def test_environments_count_for_themselves(ops: Caller) -> None:
    """A release in one environment shows in no other, and each counts its own revisions."""
    ops.put(f"{STAGING}/limit", {"value": 5, "type": "int"})
    ops.put(f"{STAGING}/limit", {"value": 6})
    assert ops.put(f"{PRODUCTION}/limit", {"value": 7, **BREAK_GLASS}).json["revision"] == 1
    assert (values(ops), values(ops, env="production")) == ({"limit": 6}, {"limit": 7})


def test_a_type_never_changes(ops: Caller) -> None:
    """A PUT with another type than the declared one is 409; with the same type it is an ordinary write."""
    ops.put(f"{STAGING}/limit", {"value": 5, "type": "int"})
    answer = ops.put(f"{STAGING}/limit", {"value": "5", "type": "string"})
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert ops.put(f"{STAGING}/limit", {"value": 6, "type": "int"}).status_code == 200
    assert values(ops) == {"limit": 6}


def test_if_match_of_a_scope(ops: Caller, keys: list[str]) -> None:
    """A write on the scope's ETag goes through while the scope is unchanged; ``W/`` and ``.m`` make no difference."""
    ops.put(f"{STAGING}/a", {"value": 1})
    ops.put("/v1/namespaces/search/envs/staging/config/a", {"value": 1})  # another scope: this one stays
    for number, form in enumerate(["{}", "W/{}", '"r{}"', '"r{}.m"', 'W/"r{}.m"']):
        scope = ops.get(STAGING)
        etag = form.format(scope.headers["ETag"] if "r" not in form else scope.json["cursor"])
        answer = ops.patch(STAGING, {"changes": [{"key": "b", "value": number}]}, headers={"If-Match": etag})
        assert answer.status_code == 200, form
        answer = ops.put(f"{STAGING}/b", {"value": 100}, headers={"If-Match": etag})
        assert (answer.status_code, answer.json["code"]) == (412, "revision_mismatch")
    assert values(ops) == {"a": 1, "b": 4}


def test_if_match_of_a_key(ops: Caller, keys: list[str]) -> None:
    """A write on the key's ETag minds that key alone; ``"v0"`` means that it is not set."""
    ops.put(f"{STAGING}/a", {"value": 1}, headers={"If-Match": '"v0"'})
    etag = ops.get(f"{STAGING}/a").headers["ETag"]
    ops.put(f"{STAGING}/b", {"value": 1})
    assert ops.put(f"{STAGING}/a", {"value": 2}, headers={"If-Match": f"W/{etag}"}).status_code == 200
    for stale in (etag, '"v0"', '"v9"'):
        assert ops.put(f"{STAGING}/a", {"value": 3}, headers={"If-Match": stale}).status_code == 412
        assert ops.delete(f"{STAGING}/a", headers={"If-Match": stale}).status_code == 412
        # What would change nothing was asked under a condition, too.
        assert ops.put(f"{STAGING}/a", {"value": 2}, headers={"If-Match": stale}).status_code == 412
    assert ops.delete(f"{STAGING}/a", headers={"If-Match": '"v2"'}).status_code == 200
    assert ops.put(f"{STAGING}/a", {"value": 4}, headers={"If-Match": '"v3"'}).status_code == 412
    assert ops.put(f"{STAGING}/a", {"value": 4}, headers={"If-Match": '"v0"'}).status_code == 200


def test_an_if_match_that_says_nothing_certain_is_refused(ops: Caller, keys: list[str]) -> None:
    """``*``, lists, other forms, a key's ETag on a batch and a scope's ETag over two scopes are 400, never ignored."""
    scope = ops.get(STAGING).headers["ETag"]
    for header in ("*", "", "v1", '"v1", "v2"', '"r1"', '"R1.0123456789abcdef"', '"v1x"', "\xff"):
        assert ops.put(f"{STAGING}/a", {"value": 1}, headers={"If-Match": header}).status_code == 400, header
    two = {"changes": [{"key": "a", "value": 1}, {"key": "b", "value": 1}]}
    assert ops.patch(STAGING, two, headers={"If-Match": '"v0"'}).status_code == 400
    both = {"changes": [{"namespace": name, "key": "a", "value": 1} for name in ("payments", "search")]}
    assert ops.post(RELEASES, both, headers={"If-Match": scope}).status_code == 400
    assert revision(ops) == 0


def test_a_repeated_request_is_answered_as_the_first_time(ops: Caller, keys: list[str]) -> None:
    """The same Idempotency-Key and body give the same answer and write nothing, whatever has happened since."""
    headers = {"Idempotency-Key": "5c9c0ffe"}
    body = {"changes": [{"key": "b", "value": 1}, {"key": "a", "value": 1}, {"key": "c", "delete": True}]}
    first = ops.patch(STAGING, body, headers=headers)
    ops.patch(STAGING, {"changes": [{"key": "a", "value": 2}]})
    again = ops.patch(STAGING, body, headers=headers)
    assert (again.status_code, again.data) == (200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert values(ops) == {"a": 2, "b": 1}
    assert revision(ops) == 2


def test_a_repeat_outlives_what_it_wrote(ops: Caller) -> None:
    """A repeat is answered from the record even when its key is gone, and declares nothing anew."""
    headers = {"Idempotency-Key": "once"}
    body = {"value": 1, "type": "int"}
    first = ops.put(f"{STAGING}/a", body, headers=headers)
    ops.delete(f"{STAGING}/a")
    assert ops.delete("/v1/namespaces/payments/keys/a").status_code == 204
    assert ops.put(f"{STAGING}/a", body, headers=headers).data == first.data
    assert ops.get("/v1/namespaces/payments/keys/a").status_code == 404


def test_repeats_are_told_apart(ops: Caller, admin: Caller, keys: list[str]) -> None:
    """Another body is 409; another caller, path or key of repetition is another request; a failed one is not kept."""
    headers = {"Idempotency-Key": "k"}
    assert ops.put(f"{STAGING}/a", {"value": "x"}, headers=headers).status_code == 422
    assert ops.put(f"{STAGING}/a", {"value": 1}, headers=headers).status_code == 200
    other = ops.put(f"{STAGING}/a", {"value": 2}, headers=headers)
    assert (other.status_code, other.json["code"]) == (409, "conflict")
    assert ops.put(f"{STAGING}/b", {"value": 2}, headers=headers).status_code == 200
    assert admin.put(f"{STAGING}/a", {"value": 3}, headers=headers).status_code == 200
    assert ops.put(f"{STAGING}/a", {"value": 4}, headers={"Idempotency-Key": "l"}).status_code == 200
    assert ops.put(f"{STAGING}/a", {"value": 1}, headers=headers).json["revision"] == 1
    for bad in ("", "a b", "k" * 201, "ü"):
        assert ops.put(f"{STAGING}/a", {"value": 5}, headers={"Idempotency-Key": bad}).status_code == 400
    assert values(ops) == {"a": 4, "b": 2}


def test_a_repeated_no_op_stays_one(ops: Caller, keys: list[str]) -> None:
    """A request that changed nothing changes nothing when it comes again, although it would now."""
    ops.put(f"{STAGING}/a", {"value": 1})
    headers = {"Idempotency-Key": "n"}
    assert ops.put(f"{STAGING}/a", {"value": 1}, headers=headers).json["changed"] is False
    ops.put(f"{STAGING}/a", {"value": 2})
    again = ops.put(f"{STAGING}/a", {"value": 1}, headers=headers)
    assert (again.json["changed"], again.json["revision"]) == (False, 1)
    assert values(ops) == {"a": 2}


def test_a_repeat_at_the_same_moment_writes_once(ops: Caller, keys: list[str]) -> None:
    """Eight copies of a request that arrive together make one release and one answer."""
    barrier = threading.Barrier(8, timeout=10)
    answers: list[tuple[int, bytes]] = []

    def send() -> None:
        barrier.wait()
        answer = ops.put(f"{STAGING}/a", {"value": 1}, headers={"Idempotency-Key": "same"})
        answers.append((answer.status_code, answer.data))

    in_threads([send] * 8)
    assert len(answers) == 8
    assert set(answers) == {answers[0]}
    assert answers[0][0] == 200
    assert revision(ops) == 1


def test_of_conditional_writes_at_the_same_moment_one_wins(ops: Caller, keys: list[str]) -> None:
    """Writers that all read the same version change it once; the others are told."""
    ops.put(f"{STAGING}/a", {"value": 0})
    barrier = threading.Barrier(8, timeout=10)
    statuses: list[int] = []

    def send(value: int) -> None:
        barrier.wait()
        statuses.append(ops.put(f"{STAGING}/a", {"value": value}, headers={"If-Match": '"v1"'}).status_code)

    in_threads([lambda value=value: send(value) for value in range(1, 9)])
    assert sorted(statuses) == [200] + [412] * 7
    assert revision(ops) == 2


def test_a_key_declared_by_many_at_once_is_declared_once(ops: Caller) -> None:
    """Writers who declare the same key at the same moment all succeed, or are told of the other type."""
    barrier = threading.Barrier(8, timeout=10)
    statuses: list[tuple[str, int]] = []

    def send(number: int) -> None:
        type_, value = ("int", number) if number % 2 else ("string", str(number))
        barrier.wait()
        statuses.append((type_, ops.put(f"{STAGING}/a", {"value": value, "type": type_}).status_code))

    in_threads([lambda number=number: send(number) for number in range(8)])
    declared = ops.get("/v1/namespaces/payments/keys/a").json["type"]
    assert sorted(statuses) == sorted(
        (type_, 200 if type_ == declared else 409) for type_ in ("int", "string") for _ in range(4)
    )


def in_threads(calls: list[Callable[[], None]]) -> None:
    """Run all calls at once and return when they are done."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
