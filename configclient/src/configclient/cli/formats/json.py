"""JSON (RFC 8259), strictly: no name twice, no NaN, no integer beyond 64 bits."""

import json
from collections.abc import Mapping
from typing import Any

from configclient.cli._values import Invalid, strict_json

TYPED = True


def read(text: str) -> dict[str, Any]:
    """The object that the file holds."""
    value = strict_json(text)
    if not isinstance(value, dict):
        raise Invalid("it holds no JSON object at its top")
    return value


def write(values: Mapping[str, Any]) -> str:
    """One object."""
    return json.dumps(values, ensure_ascii=False, indent=2) + "\n"
