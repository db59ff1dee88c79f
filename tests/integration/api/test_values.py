"""What goes in comes out: values of the five types, through every way out, and what is refused at the door."""

import json
from typing import Any

import pytest

from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging"
VALUE_BYTES_MAX = 256 * 1024

#: Type, and the JSON text of a value. Texts, because ``5`` and ``5.0`` are equal in Python and not for a client.
GOOD = [
    ("int", "9223372036854775807"),
    ("int", "-9223372036854775808"),
    ("int", "0"),
    ("float", "-0.0"),
    ("float", "1e+308"),
    ("float", "5e-324"),
    ("float", "0.1"),
    ("bool", "false"),
    ("bool", "true"),
    ("string", '""'),
    ("string", '"\\u0001"'),
    ("string", '"grüße 🐘 \u2028 e\u0301 \\" \\\\ \\n"'),
    ("json", '{"z":1,"a":{"y":null,"b":[1,1.0,-0.0,"1",true]},"m":{}}'),
    ("json", "null"),
    ("json", "[]"),
    ("json", '"text"'),
    ("json", "1e-07"),
]

#: Type, and the JSON text of something that is not of it.
WRONG = [
    ("int", '"1"'),
    ("int", "1.0"),
    ("int", "1e3"),
    ("int", "true"),
    ("int", "null"),
    ("float", '"1.5"'),
    ("float", "false"),
    ("float", "null"),
    ("float", "9007199254740993"),
    ("bool", "0"),
    ("bool", '"true"'),
    ("bool", "null"),
    ("string", "1"),
    ("string", "null"),
    ("string", '["a"]'),
]


def _put(caller: Caller, key: str, type_: str, value: str) -> Any:
    return caller.put(f"{SCOPE}/config/{key}", f'{{"type":"{type_}","value":{value}}}'.encode())


def _raw(text: str, key: str, end: str = ',"') -> str:
    """The JSON text of a value inside an answer, without reading it into Python."""
    return text.partition(f'"{key}":{{"value":')[2].partition(end)[0]


def test_values_come_back_as_they_went_in(ops: Caller) -> None:
    """Each type's edge values are the same text in one key, in the scope, in sync and in the answer of the write."""
    for number, (type_, value) in enumerate(GOOD):
        written = _put(ops, f"k{number}", type_, value)
        assert written.status_code == 200, written.text
        assert f'"value":{value}' in written.text
    scope = ops.get(f"{SCOPE}/config").text
    body = {"client": {"id": "1", "service": "test"}, "env": "staging", "namespaces": ["payments"]}
    synced = ops.post("/v1/sync", body).text
    watched = ops.get(f"{SCOPE}/watch?since=0").text
    for number, (type_, value) in enumerate(GOOD):
        entry = f'"k{number}":{{"value":{value},"type":"{type_}","version":1,"secret":false}}'
        assert entry in scope
        assert entry in synced
        assert f'{{"key":"k{number}","type":"{type_}","value":{value},"version":1}}' in watched
        assert f'"value":{value},"type":"{type_}","version":1' in ops.get(f"{SCOPE}/config/k{number}").text


def test_an_integer_literal_is_a_float(ops: Caller) -> None:
    """A float takes ``5``, and gives it back as ``5.0``: clients of typed languages see one kind of number."""
    assert '"value":5.0' in _put(ops, "ratio", "float", "5").text
    assert '"value":5.0' in ops.get(f"{SCOPE}/config/ratio").text


@pytest.mark.parametrize("by_batch", [False, True], ids=["one key", "a batch"])
def test_a_value_of_another_type_is_refused(ops: Caller, by_batch: bool) -> None:
    """No coercion: ``"1"``, ``1.0`` and ``true`` are no int, and so on; the field is named, the value never quoted."""
    for type_ in ("int", "float", "bool", "string"):
        assert ops.post("/v1/namespaces/payments/keys", {"key": type_, "type": type_}).status_code == 201
    for type_, value in WRONG:
        if by_batch:
            answer = ops.patch(f"{SCOPE}/config", f'{{"changes":[{{"key":"{type_}","value":{value}}}]}}'.encode())
        else:
            answer = ops.put(f"{SCOPE}/config/{type_}", f'{{"value":{value}}}'.encode())
        assert answer.status_code == 422, (type_, value)
        assert answer.json["code"] == "validation_failed"
        assert [error["field"] for error in answer.json["errors"]] == ["changes[0].value" if by_batch else "value"]
    assert ops.get(f"{SCOPE}/config").json["values"] == {}


def test_a_refused_value_declares_nothing(ops: Caller) -> None:
    """A PUT that would declare and set a key does neither when the value is wrong."""
    assert _put(ops, "fresh", "int", '"1"').status_code == 422
    assert ops.get("/v1/namespaces/payments/keys/fresh").status_code == 404


def test_a_value_has_a_largest_size(ops: Caller) -> None:
    """256 KiB of JSON are taken, one byte more is not, counted in bytes and not in characters."""
    largest = json.dumps("x" * (VALUE_BYTES_MAX - 2))
    assert _put(ops, "big", "string", largest).status_code == 200
    assert _put(ops, "big", "string", json.dumps("x" * (VALUE_BYTES_MAX - 1))).status_code == 422
    assert _put(ops, "big", "string", json.dumps("ü" * (VALUE_BYTES_MAX // 2), ensure_ascii=False)).status_code == 422
    assert _raw(ops.get(f"{SCOPE}/config").text, "big") == largest


NOT_STRICT_JSON = {
    "empty": b"",
    "blank": b"  ",
    "not JSON": b"rate_limit=5",
    "not UTF-8": b'{"value": "\xff"}',
    "UTF-16": '{"value": 1}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"value": 1}',
    "trailing bytes": b'{"value": 1} x',
    "two documents": b'{"value": 1}{"value": 2}',
    "trailing comma": b'{"value": 1,}',
    "single quotes": b"{'value': 1}",
    "duplicate name": b'{"value": 1, "value": 2}',
    "duplicate name inside": b'{"value": {"a": 1, "\\u0061": 2}}',
    "NaN": b'{"value": NaN}',
    "Infinity": b'{"value": -Infinity}',
    "float overflow": b'{"value": 1e309}',
    "int overflow": b'{"value": 9223372036854775808}',
    "int underflow": b'{"value": -9223372036854775809}',
    "huge int": b'{"value": ' + b"9" * 100_000 + b"}",
    "leading zero": b'{"value": 01}',
    "NUL escaped": b'{"value": "a\\u0000"}',
    "NUL raw": b'{"value": "a\x00"}',
    "NUL in a name": b'{"value": {"\\u0000": 1}}',
    "lone surrogate": b'{"value": "\\ud800"}',
    "surrogates swapped": b'{"value": "\\udc00\\ud800"}',
    "surrogate in UTF-8": b'{"value": "\xed\xa0\x80"}',
    "raw line feed": b'{"value": "a\nb"}',
    "too deep": b'{"value": ' + b"[" * 64 + b"]" * 64 + b"}",
    "far too deep": b"[" * 500_000,
    "too deep behind a string": b'{"value": "\\"[", "x": ' + b'{"a":' * 64 + b"1" + b"}" * 65,
}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_bytes_that_are_no_strict_json_are_malformed(ops: Caller, method: str) -> None:
    """Whatever two JSON readers could read differently is 400, before anybody looks at its meaning."""
    path = f"{SCOPE}/config/k" if method == "PUT" else f"{SCOPE}/config"
    for name, body in NOT_STRICT_JSON.items():
        answer = ops.send(method, path, body)
        assert (answer.status_code, answer.json["code"]) == (400, "malformed"), name


def test_json_as_deep_as_allowed_is_taken(ops: Caller) -> None:
    """64 levels are fine, whatever brackets stand in strings beside them."""
    value = "[" * 62 + json.dumps('"[{' * 100) + "]" * 62
    assert _put(ops, "deep", "json", value).status_code == 200
    assert _raw(ops.get(f"{SCOPE}/config").text, "deep", ',"type"') == value


def test_unknown_fields_are_refused(ops: Caller) -> None:
    """A field that the contract does not know is 422 and named: a slip is no silent no."""
    bodies = {
        ("PUT", f"{SCOPE}/config/k"): {"value": 1, "type": "int", "secret": True},
        ("PATCH", f"{SCOPE}/config"): {"changes": [{"key": "k", "value": 1}], "secret": 1},
        ("DELETE", f"{SCOPE}/config/k"): {"secret": "why"},
        ("POST", "/v1/envs/staging/releases"): {"changes": [{"namespace": "n", "key": "k", "value": 1}], "secret": 1},
        ("POST", "/v1/namespaces/payments/keys"): {"key": "k", "type": "int", "secret": False, "typo": 1},
    }
    for (method, path), body in bodies.items():
        answer = ops.send(method, path, body)
        assert answer.status_code == 422, (method, path)
        assert [error["field"] for error in answer.json["errors"]] in (["secret"], ["typo"])


def test_a_body_that_is_no_object_is_refused(ops: Caller) -> None:
    """A list, a number or null where an object belongs is good JSON that breaks the contract."""
    for body in (b"[]", b"1", b"null", b'"text"', b"true"):
        assert ops.send("PUT", f"{SCOPE}/config/k", body).status_code == 422, body
