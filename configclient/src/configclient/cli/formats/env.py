"""``.env`` files, as python-dotenv reads them, but without filling in variables: ``$HOME`` is five characters."""

import io
import re
from collections.abc import Mapping
from typing import Any

from dotenv.parser import parse_stream

from configclient.cli._render import bare

TYPED = False

# Needs no quotes, in shells and other readers either.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,-]*")


def read(text: str) -> dict[str, Any]:
    """Texts by name; ``export`` before a name is ignored."""
    values: dict[str, Any] = {}
    for binding in parse_stream(io.StringIO(text, newline="")):
        if binding.error or (binding.key is not None and binding.value is None):
            raise ValueError(f"line {binding.original.line}: not NAME=value")
        if binding.key is None:
            continue
        if binding.key in values:
            raise ValueError(f"line {binding.original.line}: {binding.key} stands here a second time")
        values[binding.key] = binding.value
    return values


def write(values: Mapping[str, Any]) -> str:
    """A line ``name='value'`` for each; a value of several lines takes several."""
    return "".join(f"{name}={_quoted(name, bare(value))}\n" for name, value in values.items())


def _quoted(name: str, text: str) -> str:
    if PLAIN.fullmatch(text):
        return text
    if not text.endswith("\\"):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    # Behind a backslash the closing quote would be part of the value, so only what needs no quotes can end with one.
    if text.isprintable() and not text.startswith(("'", '"', " ")) and " #" not in text:
        return text
    raise ValueError(f"{name} ends with a backslash, which a quoted .env value can't: take json or yaml")
