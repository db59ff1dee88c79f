"""Names that only look like names."""

import pytest

from tests.integration.api.conftest import Caller

BAD_KEYS = {
    "leading dot": ".hidden",
    "leading dash": "-rf",
    "blank": "a%20b",
    "line feed": "a%0a",
    "carriage return": "a%0d",
    "percent": "a%25b",
    "quote": "a%27b",
    "look-alike": "p%D0%B0y",  # the second letter is Cyrillic
    "full width": "%EF%BD%81",
    "digit of another script": "%D9%A1",
    "not UTF-8": "a%ff",
    "plus": "a+b",
    "too long": "k" * 201,
}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_key_with_a_bad_name_is_not_written(ops: Caller, key: str) -> None:
    """A name outside the rule is 422 and tells the rule; reading it finds nothing."""
    path = f"/v1/namespaces/payments/envs/staging/config/{key}"
    answer = ops.put(path, {"value": 1, "type": "int"})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "key"
    assert "1 to 200 characters" in answer.json["errors"][0]["message"]
    assert ops.get(path).status_code == 404
    assert ops.delete(path).status_code == 422


@pytest.mark.parametrize("place", ["namespace", "env", "key"])
def test_a_name_with_nul_is_no_name(ops: Caller, place: str) -> None:
    """``%00`` in a path is refused like NUL in a body, and never reaches the database, which has no such text."""
    names = {"namespace": "payments", "env": "staging", "key": "k"} | {place: "a%00"}
    scope = "/v1/namespaces/{namespace}/envs/{env}".format_map(names)
    calls = [
        ("GET", f"{scope}/config", None),
        ("GET", f"{scope}/config/{names['key']}", None),
        ("PUT", f"{scope}/config/{names['key']}", {"value": 1, "type": "int"}),
        ("PATCH", f"{scope}/config", {"changes": [{"key": "k", "value": 1}]}),
        ("GET", f"{scope}/watch?timeout=0", None),
        ("GET", f"/v1/namespaces/{names['namespace']}/keys/{names['key']}", None),
        ("DELETE", f"/v1/namespaces/{names['namespace']}/keys/{names['key']}", None),
        ("POST", f"/v1/envs/{names['env']}/releases", {"changes": [{"namespace": "payments", "key": "k", "value": 1}]}),
    ]
    for method, path, body in calls:
        if "%00" in path:
            answer = ops.send(method, path, body)
            assert (answer.status_code, answer.json["code"]) == (400, "malformed"), (method, path)


def test_a_slash_ends_a_name(ops: Caller) -> None:
    """A slash, written or encoded, is no part of a name; nothing is redirected to somewhere else."""
    for key in ("a/b", "a%2fb", "a//b", "../k", "%2e%2e%2fk", "a/"):
        path = f"/v1/namespaces/payments/envs/staging/config/{key}"
        answer = ops.put(path, {"value": 1, "type": "int"})
        assert (answer.status_code, answer.json["code"]) == (404, "not_found"), key
        assert "Location" not in answer.headers


def test_bad_names_in_bodies_are_named_by_their_place(ops: Caller) -> None:
    """In a batch, the change with the bad name is pointed at."""
    good = {"key": "k", "value": 1}
    answer = ops.patch("/v1/namespaces/payments/envs/staging/config", {"changes": [good, {"key": "a b", "value": 1}]})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == "changes[1].key"
    change = {"namespace": "Payments", "key": "k", "value": 1}
    answer = ops.post("/v1/envs/staging/releases", {"changes": [change]})
    assert answer.json["errors"][0]["field"] == "changes[0].namespace"


def test_environments_and_namespaces_have_rules_too(admin: Caller) -> None:
    """Creating one outside its rule is 422 and writes nothing."""
    for name in ("Staging", "a.b", "-a", "a" * 21, "a\n", "ä"):
        assert admin.post("/v1/envs", {"name": name}).status_code == 422, name
    for name in ("Payments", ".a", "a" * 101, "a\n", "a/b", "a:b"):
        assert admin.post("/v1/namespaces", {"name": name}).status_code == 422, name
    assert [env["name"] for env in admin.get("/v1/envs").json["items"]] == ["development", "staging", "production"]


def test_the_longest_names_work(admin: Caller) -> None:
    """Names at their limits can be made, written, read and synced."""
    namespace, env, key = "n" * 100, "e" * 20, "K" * 200
    assert admin.post("/v1/namespaces", {"name": namespace}).status_code == 201
    assert admin.post("/v1/envs", {"name": env}).status_code == 201
    path = f"/v1/namespaces/{namespace}/envs/{env}/config/{key}"
    assert admin.put(path, {"value": 1, "type": "int"}).status_code == 200
    assert admin.get(path).json["value"] == 1
