"""JSON Schema of a key (2020-12): what its values must be like beyond their type.

Checked by jsonschema-rs, which matches patterns in linear time. It is kept offline: by default it would fetch ``http``
references and read files. Messages never quote the value.
"""

import json
from functools import lru_cache

import jsonschema_rs

from configsvc.domain import strict_json

#: Larger schemas are programs, not bounds.
SCHEMA_BYTES_MAX = 64 * 1024
#: Compiled schemas remembered; one costs some ten microseconds to a millisecond to make again.
CACHE_SCHEMAS_MAX = 1_000
#: Problems of one value that are named.
ERRORS_MAX = 5

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def to_text(schema: object) -> str:
    """Return the canonical text of a schema that is fit to be declared.

    Raises:
        ValueError: it is no JSON Schema 2020-12, refers to something outside itself, has a pattern that can't be
            matched in linear time, or is larger than ``SCHEMA_BYTES_MAX``.
    """
    text = strict_json.dumps(schema)
    if len(text.encode()) > SCHEMA_BYTES_MAX:
        raise ValueError(f"is {len(text.encode())} bytes of JSON; the limit for one schema is {SCHEMA_BYTES_MAX}")
    if isinstance(schema, dict) and schema.get("$schema", _DIALECT) != _DIALECT:
        raise ValueError(f"must be JSON Schema 2020-12: $schema must be absent or {_DIALECT}")
    try:
        _compiled(text)
    except jsonschema_rs.ValidationError as error:
        place = "".join(f"/{part}" for part in error.instance_path)
        raise ValueError(f"is no usable JSON Schema{f' at {place}' if place else ''}: {error.message}") from None
    return text


def problems(schema_text: str, value: object) -> list[str]:
    """Return what is wrong with ``value``, in a few sentences that do not quote it; empty if all is well."""
    found = []
    for error in _compiled(schema_text).iter_errors(value):
        place = "".join(f"/{part}" for part in error.instance_path)
        found.append(f"{place}: {error.message}" if place else error.message)
        if len(found) == ERRORS_MAX:
            break
    return found


@lru_cache(CACHE_SCHEMAS_MAX)
def _compiled(text: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        json.loads(text),
        mask="the value",
        offline=True,
        pattern_options=jsonschema_rs.RegexOptions(),
        validate_formats=True,
        ignore_unknown_formats=False,
    )
