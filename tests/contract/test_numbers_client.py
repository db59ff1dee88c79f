"""The client replays the vectors of values: an application gets the very value that was set."""

import json
from pathlib import Path
from typing import Any

import pytest

from configclient import _messages
from configclient._getters import Rules, Snapshot
from configclient._table import Table

HERE = Path(__file__).parent
VECTORS = json.loads((HERE / "numbers.json").read_text("utf-8"))
GETTERS = {"string": "get_str", "int": "get_int", "float": "get_float", "bool": "get_bool", "json": "get_json"}
NAMESPACE = "payments"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@pytest.fixture(scope="module", params=["full", "changes"])
def snapshot(request: pytest.FixtureRequest) -> Snapshot:
    """What an application reads after a sync that brought every vector, spliced in as the service does it."""
    entries = [(number, vector["type"], vector["text"]) for number, vector in enumerate(VECTORS["good"])]
    if request.param == "full":
        each = [
            f'"k{number}":{{"value":{text},"type":"{type_}","version":1,"secret":false}}'
            for number, type_, text in entries
        ]
        content = f'"values":{{"{NAMESPACE}":{{{",".join(each)}}}}}'
    else:
        each = [f'{{"key":"k{number}","type":"{type_}","value":{text},"version":1}}' for number, type_, text in entries]
        content = f'"changes":{{"{NAMESPACE}":[{",".join(each)}]}}'
    body = (
        f'{{"kind":"{request.param}","reset":false,"revision":1,"cursor":"1.a","view":"v",{content},'
        '"next_sync_s":30,"report_within_s":2,"push":null}'
    )
    answer = _messages.read_answer(body.encode(), _messages.Asked("0.a", "v"), [NAMESPACE])
    return Snapshot(Table.of(answer.revision, answer.cursor, answer.changes), Rules(strict=True))


@pytest.mark.parametrize(
    ("number", "vector"),
    [pytest.param(number, vector, id=vector["name"]) for number, vector in enumerate(VECTORS["good"])],
)
def test_an_application_reads_what_was_set(snapshot: Snapshot, number: int, vector: Any) -> None:
    """Of the key's own type, by the plain and by the typed getter, to the last bit, names in their order."""
    for getter in ("get", GETTERS[vector["type"]]):
        value = getattr(snapshot, getter)(NAMESPACE, f"k{number}")
        assert _text(value) == vector["text"]
        if vector["type"] != "json":
            assert type(value).__name__ == {"string": "str"}.get(vector["type"], vector["type"])
