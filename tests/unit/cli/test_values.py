"""Text from the command line becomes a value of the key's type, or one clear line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configclient.cli._errors import CliError, Exit
from configclient.cli._values import parse

GOOD = [
    ("string", "100", "100"),
    ("string", "", ""),
    ("string", ' "quoted" ', ' "quoted" '),
    ("int", "100", 100),
    ("int", "-5", -5),
    ("int", "9223372036854775807", 2**63 - 1),
    ("int", "-9223372036854775808", -(2**63)),
    ("float", "5", 5),
    ("float", "-0.25", -0.25),
    ("float", "1e3", 1000.0),
    ("bool", "true", True),
    ("bool", "false", False),
    ("json", "null", None),
    ("json", '{"a": [1, 2.5, "x", true]}', {"a": [1, 2.5, "x", True]}),
    ("json", "[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
]

BAD = [
    ("int", "1.0"),
    ("int", "1e3"),
    ("int", "true"),
    ("int", '"1"'),
    ("int", "1_000"),
    ("int", "+5"),
    ("int", "05"),
    ("int", "0x10"),
    ("int", "٣"),
    ("int", ""),
    ("int", "9223372036854775808"),
    ("int", "-9223372036854775809"),
    ("int", "9" * 5000),
    ("float", "NaN"),
    ("float", "-Infinity"),
    ("float", "1e999"),
    ("float", "true"),
    ("float", ".5"),
    ("float", "9223372036854775808"),
    ("bool", "True"),
    ("bool", "1"),
    ("bool", "yes"),
    ("json", "{'a': 1}"),
    ("json", '{"a": 1, "a": 2}'),
    ("json", '{"x": {"a": 1, "b": 2, "a": 1}}'),
    ("json", '{"a": NaN}'),
    ("json", '{"a": 9223372036854775808}'),
    ("json", '"\\ud800"'),
    ("json", '{"\\u0000": 1}'),
    ("json", "[" * 65 + "]" * 65),
    ("json", "[" * 100_000),
    ("json", "1 2"),
    ("string", "caf\udce9"),
    ("string", "a\0b"),
]


@pytest.mark.parametrize(("type_", "text", "value"), GOOD)
def test_a_good_text_becomes_its_value(type_: str, text: str, value: object) -> None:
    """What the type allows is taken as it is, with Python's matching type."""
    parsed = parse(text, type_)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(("type_", "text"), BAD)
def test_a_bad_text_is_refused_in_one_line(type_: str, text: str) -> None:
    """What the type does not allow is refused with exit code 6 and one printable line that names the type."""
    with pytest.raises(CliError) as caught:
        parse(text, type_)
    assert caught.value.exit_code is Exit.INVALID
    assert type_ in str(caught.value).lower()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_string_is_taken_literally(text: str) -> None:
    """No quoting, trimming or escaping: what was typed is the value."""
    assert parse(text, "string") == text
