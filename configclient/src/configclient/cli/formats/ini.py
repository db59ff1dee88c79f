"""INI files, as Python's configparser reads them: ``[section]``, ``name = value``, comments on lines of their own.

A name is the section, a dot, and what stands before ``=``; names before the first section, and in ``[DEFAULT]``, stand
alone. A value in double quotes is read as a JSON string, which is how text that INI can't hold is written.
"""

import configparser
import json
from collections.abc import Mapping
from typing import Any

from configclient.cli._render import bare
from configclient.cli._values import strict_json

TYPED = False

# Sections that no file has: where names without one are kept, and where those would be that all sections inherit.
_TOP, _NONE = "\0top", "\0none"


def read(text: str) -> dict[str, Any]:
    """Texts by dotted name."""
    parser = configparser.RawConfigParser(
        delimiters=("=",), comment_prefixes=("#", ";"), default_section=_NONE, interpolation=None, strict=True
    )
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # names keep their capitals
    try:
        parser.read_string(f"[{_TOP}]\n{text}")
    except configparser.MissingSectionHeaderError as error:
        raise ValueError(f"line {error.lineno - 1}: not NAME = value") from None
    except (configparser.DuplicateSectionError, configparser.DuplicateOptionError) as error:
        what = getattr(error, "option", error.section)
        raise ValueError(f"line {(error.lineno or 1) - 1}: {what} stands here a second time") from None
    except configparser.ParsingError as error:
        raise ValueError(f"line {error.errors[0][0] - 1}: not NAME = value") from None
    return _flat(parser)


def write(values: Mapping[str, Any]) -> str:
    """Names without a dot first, then a section for each beginning."""
    sections: dict[str, list[str]] = {"": []}
    for name, value in values.items():
        section, _, option = name.rpartition(".")
        if not option or section == "DEFAULT":
            section, option = "", name
        sections.setdefault(section, []).append(f"{option} = {_quoted(bare(value))}".rstrip() + "\n")
    parts = [(f"[{section}]\n" if section else "") + "".join(lines) for section, lines in sections.items() if lines]
    return "\n".join(parts)


def _flat(parser: configparser.RawConfigParser) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for section in parser.sections():
        prefix = "" if section in (_TOP, "DEFAULT") else f"{section}."
        for option, text in parser.items(section):
            if prefix + option in values:
                raise ValueError(f"{prefix + option} stands there twice")
            values[prefix + option] = _unquoted(text)
    return values


def _quoted(text: str) -> str:
    fits = text.isprintable() and text == text.strip() and not text.startswith('"')
    return text if fits else json.dumps(text)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(strict_json(text))
        except ValueError:
            return text
    return text
