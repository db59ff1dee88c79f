"""The one door for JSON from outside: what is not strict JSON does not come in (DESIGN.md §7).

Python's parser is lenient: it takes duplicate names, NaN, lone surrogates and integers of any size. Two readers of
such a text can see two different values, so it is refused here, before any framework has looked at it.
"""

import json
import math
import re

from configsvc.errors import Malformed

#: Deeper documents are an attack on somebody's stack; settings of real life stay under ten.
DEPTH_MAX = 64
#: 64-bit signed: what Postgres, Go and Java can hold.
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
#: Brackets, and whole strings, whose brackets don't count. Linear on any text: possessive, and content with a string
#: that never ends.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
#: A digit other than 0 before the exponent.
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")


def loads(data: bytes) -> object:
    """Parse ``data`` as one strict JSON text in UTF-8.

    Raises:
        Malformed: with the reason; the text is never quoted, because it may hold a secret.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the body is not UTF-8: byte {error.start} is wrong") from None
    _check_depth(text)
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except json.JSONDecodeError as error:
        raise Malformed(
            f"the body is not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}"
        ) from None
    if "\\u" in text:  # NUL and lone surrogates can only come in as escapes: UTF-8 and the parser refuse the raw ones
        _check_strings(value)
    return value


def dumps(value: object) -> str:
    """Return the canonical text of ``value``: no spaces, names in the order given, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for token in _BRACKETS.findall(text):
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth -= 1
        if depth > DEPTH_MAX:
            raise Malformed(f"the JSON is nested more than {DEPTH_MAX} levels deep")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise Malformed("a name appears twice in one JSON object")
    return result


def _constant(name: str) -> object:
    raise Malformed(f"{name} is not JSON")


def _integer(literal: str) -> int:
    # 20 characters hold every 64-bit integer; longer ones would cost quadratic time to read.
    if len(literal) > 20 or not INT_MIN <= (value := int(literal)) <= INT_MAX:
        raise Malformed("an integer is beyond 64 bits")
    return value


def _float(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise Malformed("a number is beyond the finite range of a 64-bit float")
    if value == 0 and _NOT_ZERO.match(literal):
        raise Malformed("a number is too close to zero for a 64-bit float: it would come back as 0.0")
    return value


def _check_strings(value: object) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise Malformed("a string holds the character NUL")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise Malformed("a string holds half of a surrogate pair")
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_strings(name)
            _check_strings(item)
