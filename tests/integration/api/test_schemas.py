"""A key's schema: declared, changed while values exist, and checked by every write, whoever is faster."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.api.conftest import BREAK_GLASS, Caller
from tests.integration.api.test_history import RELEASES, SCOPE, put, values
from tests.integration.api.test_plans import WRITES, Write, at_once, newest, restore

KEYS = "/v1/namespaces/payments/keys"
CONFIG = f"{SCOPE}/config"
SMALL: dict[str, Any] = {"maximum": 2}


def declare(caller: Caller, key: str, schema: object, type_: str = "int") -> Any:
    """Declare a key with a schema."""
    return caller.post(KEYS, {"key": key, "type": type_, "schema": schema})


def change(caller: Caller, key: str, schema: object, **more: Any) -> Any:
    """Give a key another schema."""
    return caller.patch(f"{KEYS}/{key}", {"schema": schema, **more})


def test_a_schema_is_declared_shown_changed_and_dropped(ops: Caller) -> None:
    """It comes back as it went in; without one everything of the type is taken; null drops it."""
    schema = {"title": "Größe", "maximum": 10, "minimum": 1}
    assert declare(ops, "a", schema).json["schema"] == schema
    assert list(ops.get(f"{KEYS}/a").json["schema"]) == list(schema)
    assert ops.put(f"{CONFIG}/a", {"value": 11}).status_code == 422
    assert ops.put(f"{CONFIG}/a", {"value": 10}).status_code == 200
    assert change(ops, "a", {"maximum": 11}).json["schema"] == {"maximum": 11}
    assert ops.put(f"{CONFIG}/a", {"value": 11}).status_code == 200
    assert ops.patch(f"{KEYS}/a", {"description": "x"}).json["schema"] == {"maximum": 11}
    assert change(ops, "a", None).json["schema"] is None
    assert ops.put(f"{CONFIG}/a", {"value": 12}).status_code == 200
    assert newest(ops) == 3, "what a key takes is no setting: it makes no release"


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/s"},
        {"$ref": "file:///etc/passwd"},
        {"pattern": "(?=a)b"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"type": "integr"},
        {"enum": ["x" * 70_000]},
        "true",
        7,
        [],
    ],
)
def test_what_is_no_safe_schema_is_refused(ops: Caller, schema: object) -> None:
    """At the declaration and later, with the field; nothing is declared or changed."""
    answer = declare(ops, "a", schema)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "schema")
    assert ops.get(f"{KEYS}/a").status_code == 404
    declare(ops, "a", SMALL)
    assert change(ops, "a", schema).status_code == 422
    assert ops.get(f"{KEYS}/a").json["schema"] == SMALL


@pytest.mark.parametrize("name", ["put", "put-type", "patch", "release", "rollback", "restore", "undo"])
def test_every_way_to_write_asks_the_schema(ops: Caller, name: str) -> None:
    """A value that broke no rule when it was written does not come back against today's, by no way and by no trial."""
    put(ops, "a", 1)
    put(ops, "a", 2)
    assert change(ops, "a", {"enum": [2]}).status_code == 200
    for query in ("", "?dry_run=true"):
        answer = WRITES[name].send(ops, query)
        assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
        (error,) = answer.json["errors"]
        assert "schema" in error["message"]
    assert (values(ops), newest(ops)) == ({"a": 2}, 2)
    assert WRITES["delete"].send(ops).status_code == 200, "what is unset breaks no rule"


def test_one_bad_value_of_a_batch_refuses_it_whole(ops: Caller) -> None:
    """Each bad value is named by its place."""
    declare(ops, "a", SMALL)
    declare(ops, "b", SMALL)
    declare(ops, "c", SMALL)
    changes = [{"key": "a", "value": 3}, {"key": "b", "value": 1}, {"key": "c", "value": 4}]
    answer = ops.patch(CONFIG, {"changes": changes})
    assert [error["field"] for error in answer.json["errors"]] == ["changes[0].value", "changes[2].value"]
    assert values(ops) == {}


def test_a_change_that_present_values_would_break_is_refused(ops: Caller) -> None:
    """Each environment is named; past values and unset ones don't count; nothing is changed."""
    for env, value in (("staging", 5), ("production", 6), ("development", 1)):
        ops.put(f"/v1/namespaces/payments/envs/{env}/config/a", {"value": value, "type": "int", **BREAK_GLASS})
    answer = change(ops, "a", SMALL, **BREAK_GLASS)
    assert (answer.status_code, answer.json["code"]) == (422, "validation_failed")
    assert [error["field"] for error in answer.json["errors"]] == ["schema", "schema"]
    assert ["staging" in error["message"] for error in answer.json["errors"]] == [True, False]
    assert ["production" in error["message"] for error in answer.json["errors"]] == [False, True]
    assert ops.get(f"{KEYS}/a").json["schema"] is None
    put(ops, "a", 2)
    assert change(ops, "a", SMALL, **BREAK_GLASS).status_code == 422
    ops.delete("/v1/namespaces/payments/envs/production/config/a", BREAK_GLASS)
    assert change(ops, "a", SMALL).status_code == 200


def test_values_are_never_quoted(ops: Caller) -> None:
    """Neither the value that is refused nor the present one that would break a rule stands in an answer."""
    secret = "hunter2-of-the-tests"
    declare(ops, "a", None, "json")
    bad = {"put": Write("PUT", f"{CONFIG}/a", {"value": {secret: [secret]}})}
    bad["patch"] = Write("PATCH", CONFIG, {"changes": [{"key": "a", "value": {secret: secret}}]})
    assert bad["put"].send(ops).status_code == 200
    schemas: list[dict[str, Any]] = [
        {"type": "string"}, {"additionalProperties": False}, {"unevaluatedProperties": False}, {"maxProperties": 0},
        {"propertyNames": {"maxLength": 2}}, {"additionalProperties": {"type": "integer"}}, {"enum": [1]}, {"const": 1},
        {"not": {"type": "object"}}, {"oneOf": [{"type": "string"}]}, {"required": ["x"]},
    ]  # fmt: skip
    for schema in schemas:
        answer = change(ops, "a", schema)
        assert answer.status_code == 422
        assert secret not in answer.text, schema
    ops.delete(f"{CONFIG}/a")
    for schema in schemas:
        assert change(ops, "a", schema).status_code == 200
        for write in bad.values():
            answer = write.send(ops)
            assert answer.status_code == 422
            assert secret not in answer.text, schema


def test_who_may_change_a_schema(ops: Caller, limited: Callable[..., Caller]) -> None:
    """A developer may, until the key has a value in a protected environment: then it takes ops and a review."""
    developer = limited("developer")
    declare(ops, "a", None)
    put(ops, "a", 1)
    assert change(developer, "a", SMALL).status_code == 200
    ops.put("/v1/namespaces/payments/envs/production/config/a", {"value": 1, **BREAK_GLASS})
    for glass in ({}, BREAK_GLASS):
        assert change(developer, "a", {"maximum": 3}, **glass).status_code == 403
    assert developer.patch(f"{KEYS}/a", {"description": "x"}).status_code == 200
    answer = change(ops, "a", {"maximum": 3})
    assert (answer.status_code, answer.json["code"]) == (409, "review_required")
    assert answer.json["request_url"] == "/v1/envs/production/requests"
    assert change(ops, "a", {"maximum": 3}, **BREAK_GLASS).status_code == 200


def test_a_schema_changes_while_many_write(ops: Caller) -> None:
    """No value is ever present that breaks the schema of the moment; writers hear of the rule, or of others."""
    declare(ops, "a", {"maximum": 1})
    put(ops, "b", 0)
    done = threading.Event()
    broken: list[object] = []

    def write(first: int) -> set[int]:
        statuses = set()
        number = first
        while not done.is_set():
            number += 2
            changes = [{"key": "a", "value": number % 10}, {"key": "b", "value": number}]
            statuses.add(ops.patch(CONFIG, {"changes": changes}).status_code)
        return statuses

    def go_back() -> set[int]:
        statuses = set()
        while not done.is_set():
            statuses.add(restore(ops, newest(ops) // 2).status_code)
            statuses.add(ops.post(f"{RELEASES}/{newest(ops)}/undo", {}).status_code)
        return statuses

    def redefine() -> set[int]:
        statuses = set()
        for turn in range(80):
            limit = turn % 8
            answer = change(ops, "a", {"maximum": limit})
            statuses.add(answer.status_code)
            if answer.status_code == 200:
                # Nobody changes it in between: whatever is there now has to be within it.
                broken.extend(value for name, value in values(ops).items() if name == "a" and int(str(value)) > limit)
        done.set()
        return statuses

    one, two, back, redefined = at_once(lambda: write(0), lambda: write(1), go_back, redefine)
    assert broken == []
    assert one | two <= {200, 409, 422}
    assert back <= {200, 409, 422}
    assert redefined == {200, 422}, "some changes were refused because of a value, and some went through"
    assert 200 in one | two
