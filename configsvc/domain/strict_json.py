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
#: What a rule of ours is about, in a text that is JSON as far as it is looked at: names, strings, brackets, numbers.
_TOKENS = re.compile(
    r'(?P<name>"(?:[^"\\]|\\.)*+"(?=[ \t\n\r]*+:))|"(?:[^"\\]|\\.)*+"|[{}]|-?(?:NaN|Infinity)'
    r"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?",
    re.DOTALL,
)
#: Of larger texts only the reason is told: to look for the place takes as long again as to read them.
_PLACE_CHARACTERS_MAX = 256 * 1024


def loads(data: bytes) -> object:
    """Parse ``data`` as one strict JSON text in UTF-8.

    Raises:
        Malformed: with the reason and the place; the text is never quoted, because it may hold a secret.
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
        raise _at(f"the body is not JSON: {error.msg.lower()}", text, error.pos) from None
    except Malformed as error:
        raise _placed(error, text) from None
    if "\\u" in text:  # NUL and lone surrogates can only come in as escapes: UTF-8 and the parser refuse the raw ones
        try:
            _check_strings(value)
        except Malformed as error:
            raise _placed(error, text) from None
    return value


def dumps(value: object) -> str:
    """Return the canonical text of ``value``: no spaces, names in the order given, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        token = match[0]
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth -= 1
        if depth > DEPTH_MAX:
            raise _at(f"the JSON is nested more than {DEPTH_MAX} levels deep", text, match.start())


def _at(reason: str, text: str, position: int) -> Malformed:
    line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    return Malformed(f"{reason} at line {line}, column {column}")


def _placed(error: Malformed, text: str) -> Malformed:
    """Return what is wrong first in the text, with its place: the parser has told only that something is."""
    if len(text) > _PLACE_CHARACTERS_MAX:
        return error
    names: list[set[str]] = []
    for token in _TOKENS.finditer(text):
        try:
            _check_token(token, names)
        except Malformed as found:
            return _at(found.detail, text, token.start())
    return error


def _check_token(token: re.Match[str], names: list[set[str]]) -> None:
    """Hold one token against the rules; ``names``: those so far of each object that it stands in."""
    text = token[0]
    if text == "{":
        names.append(set())
    elif text == "}":
        names.pop()
    elif text[0] == '"':
        string = json.loads(text)
        _check_strings(string)
        if token["name"]:
            _check_twice(string in names[-1])
            names[-1].add(string)
    elif "N" in text or "I" in text:
        _constant(text)
    else:
        (_float if {*text} & {*".eE"} else _integer)(text)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    _check_twice(len(result) != len(pairs))
    return result


def _check_twice(is_twice: bool) -> None:
    if is_twice:
        raise Malformed("a name appears twice in one JSON object")


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
