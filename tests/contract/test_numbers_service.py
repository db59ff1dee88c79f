"""The service replays the vectors of values: what comes in strictly comes out the same, on every way out."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from configsvc.app import close, create_app
from configsvc.domain import strict_json, values
from configsvc.service import samples
from configsvc.settings import Settings

VECTORS = json.loads((Path(__file__).parent / "numbers.json").read_text("utf-8"))
SCOPE = "/v1/namespaces/payments/envs/staging"

Send = Callable[..., TestResponse]


def _named(vectors: list[Any]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


@pytest.fixture
def send(settings: Settings) -> Iterator[Send]:
    """Sends bytes to a service as an operator, with the token for reading and writing."""
    app = create_app(settings)
    tokens = samples.ensure(settings.database_url, None)

    def call(method: str, path: str, body: str = "", role: str = "ops") -> TestResponse:
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        return app.test_client().open(path, method=method, data=body.encode(), headers=headers)

    yield call
    close(app)


@pytest.mark.parametrize("vector", _named(VECTORS["good"]))
def test_a_value_has_one_text(vector: Any) -> None:
    """The strict door reads it, its type takes it, and its canonical text reads back as itself."""
    assert values.to_text(vector["type"], strict_json.loads(vector["json"].encode())) == vector["text"]
    assert values.to_text(vector["type"], strict_json.loads(vector["text"].encode())) == vector["text"]


def test_values_come_back_as_they_went_in(send: Send) -> None:
    """Byte for byte: from the write, the key, the scope now and then, versions, differences, sync and watch."""
    for number, vector in enumerate(VECTORS["good"]):
        body = f'{{"value":{vector["json"]},"type":"{vector["type"]}"}}'
        answer = send("PUT", f"{SCOPE}/config/k{number}", body)
        assert answer.status_code == 200, (vector["name"], answer.text)
        assert f'"value":{vector["text"]}}}' in answer.text, vector["name"]
    revision = len(VECTORS["good"])
    client = '{"client":{"id":"1","service":"s"},"env":"staging","namespaces":["payments"]'
    whole = {
        "scope": send("GET", f"{SCOPE}/config"),
        "past": send("GET", f"{SCOPE}/config?revision={revision}"),
        "diff": send("GET", f"{SCOPE}/diff?from=0"),
        "sync": send("POST", "/v1/sync", client + "}", "service"),
        "delta": send("GET", f"{SCOPE}/watch?since=0&timeout=0"),
    }
    for number, vector in enumerate(VECTORS["good"]):
        one = {
            "key": send("GET", f"{SCOPE}/config/k{number}"),
            "versions": send("GET", f"{SCOPE}/config/k{number}/versions"),
            "release": send("GET", f"/v1/envs/staging/releases/{number + 1}"),
        }
        for way, answer in (whole | one).items():
            assert answer.status_code == 200
            assert f'"value":{vector["text"]}' in answer.text, (way, vector["name"])
    again = send("POST", f"{SCOPE}/restore", '{"revision":0}')
    back = send("POST", f"/v1/envs/staging/releases/{again.json['revision']}/undo")
    assert send("GET", f"{SCOPE}/diff?from={revision}&to={back.json['revision']}").json["changes"] == []
    assert send("PATCH", f"{SCOPE}/config", _batch()).json["changed"] is False, "what came back is the same to the bit"


def _batch() -> str:
    changes = (f'{{"key":"k{number}","value":{vector["text"]}}}' for number, vector in enumerate(VECTORS["good"]))
    return f'{{"changes":[{",".join(changes)}]}}'


def test_what_cannot_come_back_is_refused(send: Send) -> None:
    """With 400 where it is no strict JSON, 422 where it is no value of the type; nothing of it is kept."""
    for number, type_ in enumerate(("string", "int", "float", "bool", "json")):
        send("POST", "/v1/namespaces/payments/keys", f'{{"key":"{type_}","type":"{type_}"}}')
        assert send("GET", f"{SCOPE}/config/{type_}").status_code == 404, number
    for vector in VECTORS["refused"]:
        value, type_ = vector["json"], vector["type"]
        for method, path, body in (
            ("PUT", f"{SCOPE}/config/{type_}", f'{{"value":{value}}}'),
            ("PUT", f"{SCOPE}/config/new", f'{{"value":{value},"type":"{type_}"}}'),
            ("PATCH", f"{SCOPE}/config", f'{{"changes":[{{"key":"{type_}","value":{value}}}]}}'),
        ):
            answer = send(method, path, body)
            assert answer.status_code == vector["status"], (method, vector["name"], answer.text)
    assert send("GET", f"{SCOPE}/config").json["values"] == {}
    assert send("GET", "/v1/namespaces/payments/keys/new").status_code == 404
