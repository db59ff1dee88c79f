"""Text → a value of a declared type, as strictly as the service takes it. PURE: no I/O.

A string is taken literally. The other types are read as JSON (RFC 8259) and nothing more: no ``1_000``, no ``True``, no
``NaN``, no duplicate names, no integer beyond 64 bits, no ``1.0`` for an int.
"""

import json
import math
from typing import Any

from configclient.cli._errors import CliError, Exit

TYPES = ("string", "int", "float", "bool", "json")

INT_MIN, INT_MAX = -(2**63), 2**63 - 1
# No 64-bit integer is longer (sign and 19 digits). Longer ones are refused unread: reading them takes quadratic time.
INT_CHARS_MAX = 20
# The service's bound for nesting; it also keeps the checks below far from Python's recursion limit.
DEPTH_MAX = 64
# A wrong value is repeated in the error only as far as it helps to recognise it.
SHOWN_CHARS_MAX = 60

# How the error names a value of each type, with an example.
WORDS = {
    "string": "a string",
    "int": "an int; write it like 100",
    "float": "a float; write it like 0.25",
    "bool": "a bool; write true or false",
    "json": """valid JSON; write it like '{"a": [1, 2]}'""",
}


def parse(text: str, type_: str) -> Any:
    """The value that ``text`` means for a key of ``type_`` (one of :data:`TYPES`).

    Raises :class:`CliError` (exit code 6) when the text is no such value.
    """
    try:
        if type_ == "string":
            _check_characters(text)
            return text
        value = _strict_json(text)
    except _InvalidError as error:
        raise _not_a(type_, text, str(error)) from None
    if not _fits(value, type_):
        raise _not_a(type_, text, "")
    return value


class _InvalidError(ValueError):
    """Why a text is no JSON that the service takes."""


def _fits(value: Any, type_: str) -> bool:
    if type_ == "json":
        return True
    if type_ == "bool":
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) if type_ == "int" else isinstance(value, int | float)


def _strict_json(text: str) -> Any:
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise _InvalidError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _InvalidError(f"nested deeper than {DEPTH_MAX}") from None
    _check_tree(value, depth=0)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise _InvalidError(f"the name {json.dumps(name)} appears twice")
        result[name] = value
    return result


def _int(digits: str) -> int:
    if len(digits) > INT_CHARS_MAX or not INT_MIN <= (number := int(digits)) <= INT_MAX:
        raise _InvalidError("an integer beyond 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _InvalidError("a number too large for a float")
    return number


def _constant(name: str) -> Any:
    raise _InvalidError(f"{name} is not a number")


def _check_tree(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_characters(value)
    elif isinstance(value, dict | list):
        if depth == DEPTH_MAX:
            raise _InvalidError(f"nested deeper than {DEPTH_MAX}")
        names: list[Any] = list(value) if isinstance(value, dict) else []
        items = value.values() if isinstance(value, dict) else value
        for item in (*names, *items):
            _check_tree(item, depth + 1)


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise _InvalidError("it holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _InvalidError("it is not valid Unicode") from None


def _not_a(type_: str, text: str, reason: str) -> CliError:
    shown = text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"
    because = f" ({reason})" if reason else ""
    words, _, example = WORDS[type_].partition("; ")
    return CliError(f"{shown!r} is not {words}{because}; {example}".removesuffix("; "), Exit.INVALID)
