"""TOML 1.0. Dates and times become text; null, which TOML has not, can't be written."""

import datetime
import tomllib
from collections.abc import Mapping
from typing import Any

import tomli_w

TYPED = True


def read(text: str) -> dict[str, Any]:
    """The file's tables."""
    try:
        tables: dict[str, Any] = _without_dates(tomllib.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return tables


def write(values: Mapping[str, Any]) -> str:
    """Tables."""
    for name, value in values.items():
        if _has_null(value):
            raise ValueError(f"{name} holds null, which TOML has not: take json or yaml")
    return tomli_w.dumps(values)


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_dates(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value


def _has_null(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(_has_null(item) for item in (value.values() if isinstance(value, dict) else value))
    return value is None
