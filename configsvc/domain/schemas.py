"""JSON Schema of a key (2020-12): what its values must be like beyond their type.

Checked by jsonschema-rs, which matches patterns in linear time, within bounds (``effort.py``). It is kept offline: by
default it would fetch ``http`` references and read files. Messages never quote the value; of a JSON value's names only
those that the schema has, too.
"""

import json
from collections.abc import Sequence
from functools import lru_cache

import jsonschema_rs

from configsvc.domain import strict_json
from configsvc.domain.effort import PATTERN_BYTES_MAX, Effort, effort

#: Larger schemas are programs, not bounds.
SCHEMA_BYTES_MAX = 64 * 1024
#: Compiled schemas remembered; one costs some ten microseconds to a millisecond to make again.
CACHE_SCHEMAS_MAX = 1_000
#: One message quotes the schema's part that was broken, and an enum can be long.
MESSAGE_CHARACTERS_MAX = 300

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
#: What jsonschema-rs masks the value with does not mask the names inside it, which these would quote.
_QUOTES_NAMES = {
    "AdditionalProperties": "a name is not among those that are allowed",
    "UnevaluatedProperties": "a name is not among those that are allowed",
    "PropertyNames": "a name breaks the rule for names",
}


def to_text(schema: object) -> str:
    """Return the canonical text of a schema that is fit to be declared.

    Raises:
        ValueError: it is no JSON Schema 2020-12, refers to something outside itself or to itself, has a pattern that
            can't be matched in linear time, is larger than ``SCHEMA_BYTES_MAX``, or takes too long to check.
    """
    if not isinstance(schema, dict | bool):  # jsonschema-rs would take a string for JSON text
        raise ValueError("must be a JSON Schema: an object, or true or false")  # noqa: TRY004  # one of its reasons
    text = strict_json.dumps(schema)
    if len(text.encode()) > SCHEMA_BYTES_MAX:
        raise ValueError(f"is {len(text.encode())} bytes of JSON; the limit for one schema is {SCHEMA_BYTES_MAX}")
    if isinstance(schema, dict) and schema.get("$schema", _DIALECT) != _DIALECT:
        raise ValueError(f"must be JSON Schema 2020-12: $schema must be absent or {_DIALECT}")
    try:
        _compiled(text)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"/{part}" for part in error.instance_path)
        raise ValueError(
            _bounded(f"is no usable JSON Schema{f' at {place}' if place else ''}: {error.message}")
        ) from None
    return text


class Checks:
    """Checks of the schemas and values of one request: bounded together, as together they hold a worker up."""

    def __init__(self) -> None:
        self._taken = 0.0

    def to_text(self, schema: object) -> str:
        """Return what ``to_text`` returns; ValueError also where the schemas so far take too long to compile."""
        text = to_text(schema)
        self._taken += _compiled(text)[0].compiling
        if self._taken > 1:
            raise ValueError("comes with others whose patterns take too long to compile together: send fewer at once")
        return text

    def problem(self, schema_text: str, value: object) -> str | None:
        """Return the first thing that is wrong with ``value``, in a sentence that does not quote it, or None.

        Only the first: jsonschema-rs makes all problems of a value at once, and a long list would hold a worker up.
        """
        try:
            bound, validator = _compiled(schema_text)
        except ValueError as error:  # it was declared before there was this bound
            return f"the schema itself {error}; PATCH the key with another schema, then write the value"
        try:
            self._taken += bound.compiling + bound.share(value)
        except ValueError as error:
            return f"the value {error}"
        if self._taken > 1:
            return "the values of this request take too long to check together: send fewer at once"
        try:
            validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            said = _QUOTES_NAMES.get(type(error.kind).__name__, error.message)
            return _bounded(f"{_place(error.instance_path, schema_text)}{said}")
        return None


def _place(path: Sequence[str | int], schema_text: str) -> str:
    """Return where in the value, with * for what the value alone names."""
    parts = [part if isinstance(part, int) or strict_json.dumps(part) in schema_text else "*" for part in path]
    return "".join(f"/{part}" for part in parts) + ": " if parts else ""


def _bounded(message: str) -> str:
    return message if len(message) <= MESSAGE_CHARACTERS_MAX else f"{message[: MESSAGE_CHARACTERS_MAX - 1]}…"


@lru_cache(CACHE_SCHEMAS_MAX)
def _compiled(text: str) -> tuple[Effort, jsonschema_rs.Draft202012Validator]:
    schema = json.loads(text)
    return effort(schema), jsonschema_rs.Draft202012Validator(
        schema,
        mask="the value",
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(size_limit=PATTERN_BYTES_MAX),
        validate_formats=True,
        ignore_unknown_formats=False,
    )
