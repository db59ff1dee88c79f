"""What each type takes, and the text that is stored for it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.domain import strict_json, values

TAKEN = [
    ("string", "", '""'),
    ("string", 'é "🎉"\n', '"é \\"🎉\\"\\n"'),
    ("int", 0, "0"),
    ("int", 2**63 - 1, "9223372036854775807"),
    ("int", -(2**63), "-9223372036854775808"),
    ("float", 1.5, "1.5"),
    ("float", 5, "5.0"),
    ("float", -0.0, "-0.0"),
    ("float", 0.1, "0.1"),
    ("float", 5e-324, "5e-324"),
    ("float", 1e22, "1e+22"),
    ("float", 2**53, "9007199254740992.0"),
    ("float", -(2**63), "-9.223372036854776e+18"),
    ("bool", True, "true"),
    ("bool", False, "false"),
    ("json", None, "null"),
    ("json", {"b": [1, 1.0, True, None], "a": {}}, '{"b":[1,1.0,true,null],"a":{}}'),
    ("json", "text", '"text"'),
]


@pytest.mark.parametrize(("type_", "value", "text"), TAKEN)
def test_a_value_has_one_text(type_: str, value: object, text: str) -> None:
    """Without spaces, in the order given; a float always with a fraction or an exponent."""
    assert values.to_text(type_, value) == text


REFUSED = [
    ("string", 1),
    ("string", None),
    ("string", ["a"]),
    ("int", "1"),
    ("int", 1.0),
    ("int", True),
    ("int", None),
    ("float", "1.5"),
    ("float", True),
    ("float", None),
    ("float", 2**53 + 1),
    ("float", 2**63 - 1),
    ("bool", 1),
    ("bool", 0),
    ("bool", "true"),
    ("bool", None),
]


@pytest.mark.parametrize(("type_", "value"), REFUSED)
def test_another_type_is_refused(type_: str, value: object) -> None:
    """Nothing is converted."""
    with pytest.raises(ValueError, match=f"the key's type is {type_}"):
        values.to_text(type_, value)


def test_a_refusal_does_not_quote_the_value() -> None:
    """It may be a secret that was sent to the wrong key."""
    with pytest.raises(ValueError, match="must be") as caught:
        values.to_text("int", "hunter2")
    assert "hunter2" not in str(caught.value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back_to_the_last_bit(value: float) -> None:
    """Through text, and through every JSON parser that reads it as a float."""
    text = values.to_text("float", value)
    back = json.loads(text)
    assert isinstance(back, float)
    assert (back, math.copysign(1, back)) == (value, math.copysign(1, value))


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_a_float_only_if_it_stays_itself(value: int) -> None:
    """Rounding in silence would be another value than the one that was sent."""
    if int(float(value)) == value:
        assert int(json.loads(values.to_text("float", value))) == value
    else:
        with pytest.raises(ValueError, match="exactly"):
            values.to_text("float", value)


def test_the_limit_of_a_value_is_that_of_its_text_in_bytes() -> None:
    """256 KiB, quotes included; characters outside ASCII count with all their bytes."""
    most = values.VALUE_BYTES_MAX - 2
    assert len(values.to_text("string", "x" * most)) == values.VALUE_BYTES_MAX
    values.to_text("string", "é" * (most // 2))
    for large in ("x" * (most + 1), "é" * (most // 2 + 1), '"' * most):
        with pytest.raises(ValueError, match="limit"):
            values.to_text("string", large)


def test_the_text_of_a_value_from_the_door_reads_back_the_same() -> None:
    """Stored text is strict JSON itself."""
    value = strict_json.loads(b'{"a": [1, 2.50, "\\u00e9"], "b": -0.0}')
    assert values.to_text("json", value) == '{"a":[1,2.5,"é"],"b":-0.0}'
