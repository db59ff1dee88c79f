"""Inputs that fit a key: what of its schema a browser can hold them to. The service holds them to all of it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from configsvc.admin.rendering import shown
from configsvc.domain import strict_json

#: More are typed rather than chosen.
CHOICES_MAX = 100
#: Constructs that JSON Schema's patterns and those of browsers may take differently.
_OWN_WAY = re.compile(r"\(\?(?!:)|\\[^dDwWsS.*+?^$(){}|\[\]/-]|\[[^\]]*[\[&~(){}/|]")


@dataclass(frozen=True)
class Input:
    """How a value is typed. ``choices``: as they are typed; ``attributes``: of the element; ``hints``: for people."""

    choices: Sequence[str] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    hints: Sequence[str] = ()


def of(key: Mapping[str, Any]) -> Input:
    """Return the input of a key."""
    schema = json.loads(key["schema"]) if key["schema"] else {}
    if not isinstance(schema, dict) or key["secret"]:
        return Input()
    type_ = key["type"]
    if choices := _choices(schema.get("enum"), type_):
        return Input(choices)
    if type_ in ("int", "float"):
        return _number(schema, type_)
    return _text(schema) if type_ == "string" else Input()


def _choices(enum: object, type_: str) -> Sequence[str]:
    """Return what can be chosen, None of it where a choice would be lost on its way through a form."""
    if not isinstance(enum, list) or not 0 < len(enum) <= CHOICES_MAX or type_ in ("json", "bool"):
        return ()
    texts = [shown(strict_json.dumps(value), type_) for value in enum if isinstance(value, str) == (type_ == "string")]
    return [] if any(ord(character) < 32 for text in texts for character in text) else texts


def _number(schema: Mapping[str, Any], type_: str) -> Input:
    attributes: dict[str, object] = {"step": 1 if type_ == "int" else "any"}
    hints = []
    least, most, step = (_finite(schema.get(word)) for word in ("minimum", "maximum", "multipleOf"))
    if least is not None:
        attributes["min"] = least
        hints.append(f"at least {least}")
    if most is not None:
        attributes["max"] = most
        hints.append(f"at most {most}")
    for word, said in (("exclusiveMinimum", "more than"), ("exclusiveMaximum", "less than")):
        if (bound := _finite(schema.get(word))) is not None:
            hints.append(f"{said} {bound}")
    if step is not None:
        hints.append(f"a multiple of {step}")
        # Browsers count steps from the minimum.
        if type_ == "int" and isinstance(step, int) and (least or 0) % step == 0:
            attributes["step"] = step
    return Input((), attributes, hints)


def _finite(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(schema: Mapping[str, Any]) -> Input:
    attributes: dict[str, object] = {}
    hints = []
    if isinstance(most := schema.get("maxLength"), int):
        hints.append(f"at most {most} characters")
    if isinstance(least := schema.get("minLength"), int):
        hints.append(f"at least {least} characters")
    if isinstance(pattern := schema.get("pattern"), str):
        hints.append(f"matches {pattern}")
        if not _OWN_WAY.search(pattern):
            # A schema's pattern may match anywhere; an input's has to match all.
            attributes["pattern"] = rf"[\s\S]*(?:{pattern})[\s\S]*"
    return Input((), attributes, hints)
