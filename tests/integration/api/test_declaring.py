"""Several keys declared by one call."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.api.conftest import Caller
from tests.integration.api.test_problems import assert_problem

KEYS = "/v1/namespaces/payments/keys"


def names(caller: Caller) -> list[str]:
    """All declared keys, in alphabetical order."""
    return sorted(item["key"] for item in caller.get(f"{KEYS}?limit=500").json["items"])


def test_many_keys_are_declared_at_once(ops: Caller) -> None:
    """As each would be alone, answered in the order of the body; the audit trail finds each by its name."""
    wanted = [
        {"key": "zoom", "type": "int", "description": "Of the map", "schema": {"minimum": 1}},
        {"key": "area", "type": "string", "secret": True},
    ]
    answer = ops.patch(KEYS, {"keys": wanted})
    assert answer.status_code == 200
    assert answer.json["items"] == [ops.get(f"{KEYS}/{key['key']}").json for key in wanted]
    assert answer.json["items"][0]["schema"] == {"minimum": 1}
    for key in wanted:
        [event] = ops.get(f"/v1/audit?namespace=payments&key={key['key']}").json["items"]
        assert (event["action"], event["details"]["secret"]) == ("key.declare", key.get("secret", False))


def test_all_are_declared_or_none(ops: Caller) -> None:
    """One that is there already is a conflict that names it; nothing is recorded either."""
    ops.post(KEYS, {"key": "b", "type": "int"})
    answer = ops.patch(KEYS, {"keys": [{"key": key, "type": "int"} for key in "abc"]})
    assert_problem(answer, 409, "conflict")
    assert answer.json["detail"].startswith("b is declared in payments already")
    assert names(ops) == ["b"]
    assert len(ops.get("/v1/audit?action=key.declare").json["items"]) == 1


@pytest.mark.parametrize(
    ("last", "field"),
    [
        ({"key": "a", "type": "int"}, "keys[1].key"),
        ({"key": "no name", "type": "int"}, "keys[1].key"),
        ({"key": "b", "type": "number"}, "keys[1].type"),
        ({"key": "b", "type": "int", "schema": {"type": "nonsense"}}, "keys[1].schema"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(ops: Caller, last: dict[str, Any], field: str) -> None:
    """A name twice, a bad name, type or schema: nothing is declared."""
    answer = ops.patch(KEYS, {"keys": [{"key": "a", "type": "int"}, last]})
    assert_problem(answer, 422, "validation_failed")
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert names(ops) == []


def test_no_keys_and_no_namespace(admin: Caller) -> None:
    """An empty list is refused, and so is a namespace that is not there."""
    assert_problem(admin.patch(KEYS, {"keys": []}), 422, "validation_failed")
    nowhere = admin.patch("/v1/namespaces/nowhere/keys", {"keys": [{"key": "a", "type": "int"}]})
    assert_problem(nowhere, 404, "not_found")


def test_two_who_declare_the_same_wait_for_each_other(caller: Callable[[str | None], Caller]) -> None:
    """Whatever their order: one declares all, the other is told so; no deadlock."""
    keys = [f"key-{number}" for number in range(3000)]
    codes = []
    together = threading.Barrier(4)

    def declare(order: list[str]) -> None:
        together.wait()
        codes.append(caller("ops").patch(KEYS, {"keys": [{"key": key, "type": "int"} for key in order]}).status_code)

    threads = [threading.Thread(target=declare, args=(order,)) for order in (keys, keys[::-1]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409, 409, 409]
