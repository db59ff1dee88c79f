"""YAML 1.2 to plain values and back, by ruamel.yaml. PURE.

What other readers of YAML take for something else (``yes``, ``012``, ``2026-11-21``, ``1:30``) is quoted when it
is written. When it is read, a date and a number with a leading zero are the text that stands there.
"""

import io
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.representer import SafeRepresenter

# What no reader takes for anything but text.
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
NOT_PLAIN = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
# A block shows several lines as they are; it can't hold what begins with a space, or characters that need an escape.
_LINE = r"[ -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*"
BLOCK = re.compile(rf"(?! )(?:{_LINE}\n)+{_LINE}")
LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")

# Aliases of aliases unfold to more than anybody wrote.
PARTS_MAX = 1_000_000

TEXT, MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"

Path = tuple[str | int, ...]


class NotYaml(ValueError):
    """The text is no YAML that has a meaning here; ``line`` counts from 1."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(f"line {line}: {reason}")


class _Constructor(SafeConstructor):
    """Makes JSON's kinds of values and nothing else."""


def _int(constructor: SafeConstructor, node: ScalarNode) -> Any:
    return node.value if LEADING_ZERO.fullmatch(node.value) else SafeConstructor.construct_yaml_int(constructor, node)


_Constructor.add_constructor("tag:yaml.org,2002:int", _int)
# A date; and what has a meaning of its own in YAML 1.1 alone, where it stands as a value: `=`, `<<`, `! '*'`.
for _kind in ("timestamp", "value", "merge", "yaml"):
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", SafeConstructor.construct_yaml_str)


class _Representer(SafeRepresenter):
    """Writes text so that every reader takes it for text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  ruamel's signature
        """Writes what is there twice twice: no anchors."""
        return True


def _text(representer: SafeRepresenter, data: str) -> Any:
    plain = PLAIN.fullmatch(data) and data.lower() not in NOT_PLAIN
    style = None if plain else "|" if BLOCK.fullmatch(data) else '"'
    return representer.represent_scalar(TEXT, data, style=style)


def _float(representer: SafeRepresenter, data: float) -> Any:
    # 1e+16 is text to readers of YAML 1.1, which want a point.
    text = repr(data)
    text = text if "." in text or "e" not in text else text.replace("e", ".0e")
    return representer.represent_scalar("tag:yaml.org,2002:float", text)


_Representer.add_representer(str, _text)
_Representer.add_representer(float, _float)


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor, yaml.Representer = _Constructor, _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel starts with None
    yaml.width = 2**30
    return yaml


def dump(value: Any) -> str:
    """The YAML document of a value of JSON's kinds."""
    stream = io.StringIO()
    _yaml().dump(_plain(value), stream)
    return stream.getvalue().removesuffix("...\n")


def load(text: str) -> tuple[Any, dict[Path, int]]:
    """The value that ``text`` says, None for an empty one, and the line on which each part of it begins.

    Raises :class:`NotYaml`.
    """
    yaml = _yaml()
    try:
        node = yaml.compose(io.StringIO(text, newline=""))
        if node is None:
            return None, {(): 1}
        lines: dict[Path, int] = {}
        _find_lines(node, (), node.start_mark.line + 1, lines)
        return yaml.constructor.construct_document(node), lines
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(" ".join(str(error.problem or error.context).split()), mark.line + 1 if mark else 1) from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise NotYaml(" ".join(str(error).split()), 1) from None


def _find_lines(node: Node, path: Path, line: int, lines: dict[Path, int]) -> None:
    lines[path] = line
    if len(lines) > PARTS_MAX:
        raise ValueError(f"it unfolds to more than {PARTS_MAX} parts")
    if isinstance(node, MappingNode):
        for name, value in node.value:
            if not isinstance(name, ScalarNode):
                raise YAMLError("a name is no text")
            if name.tag != MERGE:
                name.tag = TEXT  # `404:` and `true:` name what they show
            _find_lines(value, (*path, str(name.value)), name.start_mark.line + 1, lines)
    elif isinstance(node, SequenceNode):
        for i, value in enumerate(node.value):
            _find_lines(value, (*path, i), value.start_mark.line + 1, lines)


def _plain(value: Any) -> Any:
    """Read-only dicts and lists of the SDK as plain ones."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
