"""Java's ``.properties``, as UTF-8; written in ASCII with escapes, which every version of Java reads."""

from collections.abc import Iterable, Mapping
from typing import Any

import javaproperties

from configclient.cli._render import bare

TYPED = False


def read(text: str) -> dict[str, Any]:
    """Texts by name."""
    values: dict[str, Any] = javaproperties.loads(text, object_pairs_hook=_once)
    return values


def write(values: Mapping[str, Any]) -> str:
    """A line ``name=value`` for each."""
    return javaproperties.dumps({name: bare(value) for name, value in values.items()}, timestamp=None)


def _once(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in pairs:
        if name in values:
            raise ValueError(f"{name} stands there twice")
        values[name] = text
    return values
