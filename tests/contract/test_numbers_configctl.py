"""configctl replays the vectors of values: it takes, sends and shows what the service does."""

import json
from pathlib import Path
from typing import Any

import pytest

from configclient.cli import _render
from configclient.cli._errors import CliError, Exit
from configclient.cli._values import parse

VECTORS = json.loads((Path(__file__).parent / "numbers.json").read_text("utf-8"))


def _named(vectors: list[Any]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


def _typed(vector: Any) -> str:
    """What a person types: a string without its quotes, everything else as JSON."""
    return str(json.loads(vector["json"])) if vector["type"] == "string" else str(vector["json"])


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@pytest.mark.parametrize("vector", _named(VECTORS["good"]))
def test_a_value_is_sent_as_it_was_meant(vector: Any) -> None:
    """The value read from the command line is the one that the service keeps."""
    assert _text(parse(_typed(vector), vector["type"])) == vector.get("sends", vector["text"])


@pytest.mark.parametrize("vector", _named(VECTORS["good"]))
def test_a_value_is_shown_as_it_is(vector: Any) -> None:
    """What ``get`` prints is the value again when it is typed, and so is the JSON of lists."""
    value = json.loads(vector["text"])
    assert _text(parse(_render.bare(value), vector["type"])) == vector["text"]
    assert _text(json.loads(_render.as_json(value))) == vector["text"]


@pytest.mark.parametrize("vector", _named([vector for vector in VECTORS["refused"] if "by" not in vector]))
def test_what_the_service_refuses_is_refused_here(vector: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(CliError) as caught:
        parse(_typed(vector), vector["type"])
    assert caught.value.exit_code is Exit.INVALID
