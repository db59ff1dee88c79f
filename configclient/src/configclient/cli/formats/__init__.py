"""File formats: one module each, with the same two functions, imported when a file has that format. PURE.

``read(text)`` gives what the file says: nested dicts where ``TYPED``, otherwise texts by their dotted names.
``write(values)`` gives the text of a file that reads as exactly these values. Both raise :class:`ValueError` with a
reason that fits into one line.
"""

import importlib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Protocol

# Format → what its files' names end with.
SUFFIXES = {
    "json": (".json",),
    "yaml": (".yaml", ".yml"),
    "toml": (".toml",),
    "env": (".env",),
    "properties": (".properties",),
    "ini": (".ini", ".cfg"),
}


class Format(Protocol):
    """What each module is."""

    TYPED: bool

    def read(self, text: str) -> dict[str, Any]:
        """What the file says."""

    def write(self, values: Mapping[str, Any]) -> str:
        """The text of a file that says it."""


def named(name: str) -> Format:
    """The format of this name."""
    module: Any = importlib.import_module(f"{__name__}.{name}")
    found: Format = module
    return found


def of_file(path: str) -> str | None:
    """The name of the format that a file's name speaks of, as ``.env.production`` does too; None where it doesn't."""
    name = PurePath(path).name.lower()
    if name.startswith(".env"):
        return "env"
    return next((found for found, suffixes in SUFFIXES.items() if name.endswith(suffixes)), None)
