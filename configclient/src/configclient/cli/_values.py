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


def parse(text: str, type_: str, *, secret: bool = False) -> Any:
    """The value that ``text`` means for a key of ``type_`` (one of :data:`TYPES`).

    Raises :class:`CliError` (exit code 6) when the text is no such value; it repeats nothing of a ``secret``.
    """
    try:
        if type_ == "string":
            _check_characters(text)
            return text
        value = strict_json(text)
    except Invalid as error:
        raise _not_a(type_, "" if secret else repr(_shown(text)), "" if secret else str(error)) from None
    if not fits(value, type_):
        raise _not_a(type_, "" if secret else repr(_shown(text)), "")
    return value


class Invalid(ValueError):
    """Why something is no value that the service takes."""


def fits(value: Any, type_: str) -> bool:
    """Tells whether a value, of JSON's kinds, is one of ``type_``."""
    if type_ in ("json", "bool", "string"):
        return type_ == "json" or isinstance(value, bool if type_ == "bool" else str)
    if isinstance(value, bool):
        return False
    # 2**53 + 1 would come back as another float.
    return (isinstance(value, int) and (type_ == "int" or int(float(value)) == value)) or (
        type_ == "float" and isinstance(value, float)
    )


def type_of(value: Any) -> str:
    """The type of a new key with this value: lists, maps and null are json."""
    kinds = ((bool, "bool"), (str, "string"), (int, "int"), (float, "float"))
    return next((type_ for kind, type_ in kinds if isinstance(value, kind)), "json")


def infer(text: str) -> Any:
    """What a text without a type means: what JSON takes for true, false, a number, a list or a map; else the text.

    So ``007``, ``1_000``, ``yes``, ``null``, ``"5"`` and an empty text stay text.
    """
    if text[:1] not in "tf-0123456789[{" or not text:
        return text
    try:
        return strict_json(text)
    except Invalid:
        return text


def check(value: Any) -> None:
    """Raises :class:`Invalid` where the service does not take ``value``: not of JSON's kinds, or beyond bounds."""
    _check_tree(value, depth=0)


def strict_json(text: str) -> Any:
    """The value of a JSON text, as strictly as the service reads it. Raises :class:`Invalid`."""
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise Invalid(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Invalid(f"nested deeper than {DEPTH_MAX}") from None
    _check_tree(value, depth=0)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise Invalid(f"the name {json.dumps(name)} appears twice")
        result[name] = value
    return result


def _int(digits: str) -> int:
    if len(digits) > INT_CHARS_MAX or not INT_MIN <= (number := int(digits)) <= INT_MAX:
        raise Invalid("an integer beyond 64 bits")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Invalid("a number too large for a float")
    return number


def _constant(name: str) -> Any:
    raise Invalid(f"{name} is not a number")


def _check_tree(value: Any, depth: int) -> None:
    if isinstance(value, str):
        _check_characters(value)
    elif isinstance(value, dict | list):
        if depth == DEPTH_MAX:
            raise Invalid(f"nested deeper than {DEPTH_MAX}")
        names: list[Any] = list(value) if isinstance(value, dict) else []
        for name in names:
            if not isinstance(name, str):
                raise Invalid(f"the name {name!r} is no text")
        items = value.values() if isinstance(value, dict) else value
        for item in (*names, *items):
            _check_tree(item, depth + 1)
    elif isinstance(value, int) and not INT_MIN <= value <= INT_MAX:
        raise Invalid("an integer beyond 64 bits")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Invalid(f"{value} is no number in JSON")
    elif not isinstance(value, int | float | None):
        raise Invalid(f"{type(value).__name__} is no kind of JSON")


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise Invalid("it holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Invalid("it is not valid Unicode") from None


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "…"


def _not_a(type_: str, shown: str, reason: str) -> CliError:
    because = f" ({reason})" if reason else ""
    words, _, example = WORDS[type_].partition("; ")
    return CliError(f"{shown or 'the secret'} is not {words}{because}; {example}".removesuffix("; "), Exit.INVALID)
