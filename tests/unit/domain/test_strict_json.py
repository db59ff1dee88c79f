"""The door for JSON from outside: what comes in is what every other reader would see too."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.domain import strict_json
from configsvc.errors import Malformed

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


def same(one: object, other: object) -> bool:
    """Equal, and of the same type and sign all the way down; 1 and 1.0 and True are three."""
    return repr(one) == repr(other)


@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_strict_json_reads_as_python_does(value: object, ascii_only: bool, indent: int | None) -> None:
    """Whatever the door lets in, it changes nothing about it."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert same(strict_json.loads(data), json.loads(data))


@given(VALUES)
def test_canonical_text_comes_back_the_same(value: object) -> None:
    """What is stored is what was sent, to the last bit; and its text is stable."""
    text = strict_json.dumps(value)
    back = strict_json.loads(text.encode())
    assert same(back, value)
    assert strict_json.dumps(back) == text


@given(st.binary(max_size=60) | st.text('[]{}",:\\u0dE8+-.1 entrufals\n', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """No other error, and nothing that Python's own parser would refuse."""
    try:
        value = strict_json.loads(data)
    except Malformed:
        return
    assert same(value, json.loads(data))


REFUSED = {
    "nothing": b"",
    "only space": b"  ",
    "no JSON": b"yes",
    "single quotes": b"'a'",
    "cut off": b'{"a": 1',
    "trailing data": b"{} {}",
    "trailing comma": b"[1,]",
    "comment": b"[1] // one",
    "byte order mark": b"\xef\xbb\xbf{}",
    "Latin-1": b'"\xe9"',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong UTF-8": b'"\xc0\x80"',
    "NaN": b"NaN",
    "NaN inside": b'{"a": [NaN]}',
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "float too large": b"1e400",
    "float too small": b"-1e400",
    "integer over 64 bits": b"9223372036854775808",
    "integer under 64 bits": b"-9223372036854775809",
    "huge integer": b"1" * 100_000,
    "huge negative integer": b"-" + b"9" * 100_000,
    "leading zero": b"01",
    "plus sign": b"+1",
    "no digits after the point": b"1.",
    "hexadecimal": b"0x10",
    "other digits": "\u0661".encode(),
    "duplicate name": b'{"a": 1, "a": 2}',
    "duplicate name, escaped": b'{"a": 1, "\\u0061": 2}',
    "duplicate name, deep": b'[{"b": {"a": 1, "a": 1}}]',
    "NUL": b'"\\u0000"',
    "NUL in a name": b'{"\\u0000": 1}',
    "raw NUL": b'"\x00"',
    "raw line feed": b'"\n"',
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udc00"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "lone surrogate in a name": b'[{"\\udfff": 1}]',
    "unknown escape": b'"\\x41"',
    "lists 65 deep": b"[" * 65 + b"]" * 65,
    "objects 65 deep": b'{"a":' * 65 + b"1" + b"}" * 65,
    "100,000 deep": b"[" * 100_000,
    "strings between 65 levels": b'["]]",' * 65 + b"1" + b"]" * 65,
    "escaped quotes before 65 levels": b'["\\"", ' + b"[" * 64 + b"]" * 65,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_strict_json_is_malformed(name: str) -> None:
    """With a reason in one line that does not quote the text, which may hold a secret."""
    with pytest.raises(Malformed) as caught:
        strict_json.loads(REFUSED[name])
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,\n "b": {"c": [1, {}], "d": 2}, "a" : 3}', "twice in one JSON object at line 2, column 31"),
        ('{"a": 1,\n "\\u0061": 2}', "twice in one JSON object at line 2, column 2"),
        ('[{"a": 1}, {"a": 2},\n\n{"a": 3, "a": NaN}]', "twice in one JSON object at line 3, column 10"),
        ('{"a": "NaN: 1",\n"b": NaN}', "NaN is not JSON at line 2, column 6"),
        ("[1,\n-Infinity]", "-Infinity is not JSON at line 2, column 1"),
        ('["\\ud83c\\udf89",\n "\\ud800"]', "half of a surrogate pair at line 2, column 2"),
        ('{"a": "\\u0000"}', "the character NUL at line 1, column 7"),
        ('{"\\udfff": 1}', "half of a surrogate pair at line 1, column 2"),
        ("[1, 1e400]", "64-bit float at line 1, column 5"),
        ("[0.0,\n  1e-400]", "as 0.0 at line 2, column 3"),
        ("[-9223372036854775808, 9223372036854775808]", "64 bits at line 1, column 24"),
        ("[" * 64 + "\n" + "[" + "]" * 65, "levels deep at line 2, column 1"),
        ('{"a" 1}', "column 6"),
    ],
)
def test_a_refusal_names_line_and_column(text: str, place: str) -> None:
    """Of what is wrong first; of a name that stands twice, where it does so the second time."""
    with pytest.raises(Malformed) as caught:
        strict_json.loads(text.encode())
    assert place in caught.value.detail


def test_in_a_large_text_no_place_is_looked_for() -> None:
    """Only the reason is told."""
    with pytest.raises(Malformed) as caught:
        strict_json.loads(b'{"a": [' + b"1," * 200_000 + b'1], "a": 1}')
    assert caught.value.detail == "a name appears twice in one JSON object"


TAKEN = {
    b" [1 , 2]\r\n\t": [1, 2],
    b"9223372036854775807": 2**63 - 1,
    b"-9223372036854775808": -(2**63),
    b"-0.0": -0.0,
    b"1.0": 1.0,
    b"1E2": 100.0,
    b"1e308": 1e308,
    b"5e-324": 5e-324,
    b"null": None,
    b'"\\ud83c\\udf89"': "🎉",
    b'"\\u2028 \\u007f"': "\u2028 \x7f",
    b'{"": {"": []}}': {"": {"": []}},
    b"[" * 64 + b"]" * 64: json.loads(b"[" * 64 + b"]" * 64),
    b'["' + b"[" * 100 + b'"]': ["[" * 100],
    b'["\\\\", "' + b"{" * 100 + b'"]': ["\\", "{" * 100],
    b"[" + b"[]," * 100 + b"[]]": [[]] * 101,
}


@pytest.mark.parametrize("data", TAKEN, ids=lambda data: data[:20].decode())
def test_strict_json_comes_in(data: bytes) -> None:
    """Also at the very limits."""
    assert same(strict_json.loads(data), TAKEN[data])


def test_the_sign_of_zero_stays() -> None:
    """-0.0 equals 0.0, and is another value."""
    assert strict_json.dumps(strict_json.loads(b"-0.0")) == "-0.0"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_json_is_never_written(value: float) -> None:
    """Neither by us."""
    with pytest.raises(ValueError, match="JSON compliant"):
        strict_json.dumps(value)
