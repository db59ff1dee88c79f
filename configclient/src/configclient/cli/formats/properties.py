"""Java's ``.properties``, as UTF-8, or as Latin-1 where that is not it; written in ASCII, which every version reads."""

from collections.abc import Mapping
from typing import Any

import javaproperties

from configclient.cli._render import bare

TYPED = False


def read(text: str) -> dict[str, Any]:
    """Texts by name."""
    values: dict[str, Any] = {}
    line = 1
    for part in javaproperties.parse(text):
        if isinstance(part, javaproperties.KeyValue):
            if part.key in values:
                raise ValueError(f"line {line}: {part.key} stands here a second time")
            values[part.key] = part.value
        line += part.source.count("\n")
    return values


def write(values: Mapping[str, Any]) -> str:
    """A line ``name=value`` for each."""
    return javaproperties.dumps({name: bare(value) for name, value in values.items()}, timestamp=None)
