"""YAML 1.2: one document, a map at its top."""

from collections.abc import Mapping
from typing import Any

from configclient.cli import _yaml
from configclient.cli._values import Invalid

TYPED = True


def read(text: str) -> dict[str, Any]:
    """The map that the file holds; an empty file is an empty one."""
    value, _ = _yaml.load(text)
    if not isinstance(value, dict | None):
        raise Invalid("it holds no map at its top")
    return value or {}


def write(values: Mapping[str, Any]) -> str:
    """One map."""
    return _yaml.dump(values)
