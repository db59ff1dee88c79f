"""What a JSON Schema's references blow up to.

Each one is followed anew at each place that has it: a chain of twenty pairs can take for ever over a value of one
letter, and a schema that refers to itself can double its work with each level of the value.
"""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

#: Parts of a schema when every reference is spelt out: as many as one of the largest size could have without any.
PARTS_MAX = 5_000
#: How deep it goes then.
DEPTH_MAX = 200

#: What these hold is data.
_DATA = frozenset({"const", "default", "enum", "examples"})


def check(schema: object) -> None:
    """Refuse a schema whose references go out of it, go round in a circle, or blow up.

    Raises:
        ValueError: it says what to do instead.
    """
    _Expansion(schema).size(schema, 0)


class _Expansion:
    def __init__(self, root: object) -> None:
        self._root = root
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, part: object, depth: int) -> int:
        """How many parts a part has, spelt out."""
        if not isinstance(part, dict | list):
            return 0
        if (known := self._sizes.get(id(part))) is not None:
            return known
        if id(part) in self._open:
            raise ValueError(
                "must not refer to itself, not by another part either: spell out as many levels as you need"
            )
        if depth > DEPTH_MAX:
            raise ValueError(f"is nested more than {DEPTH_MAX} levels deep, with its references spelt out")
        self._open.add(id(part))
        size = 1
        for inner in self._inner(part):
            size += self.size(inner, depth + 1)
            if size > PARTS_MAX:
                raise ValueError(f"has more than {PARTS_MAX} parts with its references spelt out: use fewer of them")
        self._open.remove(id(part))
        self._sizes[id(part)] = size
        return size

    def _inner(self, part: Mapping[str, object] | list[object]) -> Iterator[object]:
        if isinstance(part, list):
            yield from part
            return
        for name, inner in part.items():
            if name in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield self._target(inner)
            elif name == "$id" and isinstance(inner, str) and part is not self._root:
                raise ValueError("must not have an $id in a part: refer to parts by #/…")
            elif name not in _DATA:
                yield inner

    def _target(self, reference: str) -> object:
        base, _, fragment = reference.partition("#")
        root = self._root
        if base and not (isinstance(root, dict) and base == root.get("$id")):
            raise ValueError(f"must refer to its own parts alone, as in #/$defs/name; {reference[:100]!r} is none")
        if fragment and not fragment.startswith("/"):
            found = [part for part in _parts(root) if fragment in (part.get("$anchor"), part.get("$dynamicAnchor"))]
            return found[0] if found else None  # that there is none is found when it is compiled
        target = root
        for escaped in unquote(fragment).split("/")[1:]:
            step = escaped.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict):
                target = target.get(step)
            elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
            else:
                return None
        return target


def _parts(part: object) -> Iterator[Mapping[str, object]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)
