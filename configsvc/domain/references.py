"""What a JSON Schema's references blow up to.

Each one is followed anew at each place that has it: a chain of twenty pairs can take for ever over a value of one
letter, and a schema that refers to itself can double its work with each level of the value. So can a chain without
any reference: what stands beside ``unevaluatedProperties`` is looked at again to tell what is left over.
"""

from collections.abc import Callable, Iterator, Mapping
from urllib.parse import unquote

#: Parts of a schema when every reference is spelt out: as many as one of the largest size could have without any.
PARTS_MAX = 5_000
#: How deep it goes then.
DEPTH_MAX = 200

#: What these hold is data.
_DATA = frozenset({"const", "default", "enum", "examples"})
#: What these hold is parts by names of somebody's own, which may be called like a keyword.
_NAMED = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_UNEVALUATED = frozenset({"unevaluatedItems", "unevaluatedProperties"})
#: What looks at the same value, and so is looked at again for those: by measurement 2.1 to 2.4 times for each.
_SAME_VALUE = frozenset(
    {"$dynamicRef", "$ref", "allOf", "anyOf", "contains", "dependentSchemas", "else", "if", "not", "oneOf", "then"}
)
_AGAIN = 3

Weigh = Callable[[Mapping[str, object]], int]


def check(schema: object) -> None:
    """Raise ValueError where references go out of the schema, go round in a circle, or blow up; it says what to do."""
    _Expansion(schema, lambda _part: 1, PARTS_MAX).size(schema, 0)


def total(schema: object, weigh: Weigh) -> int:
    """Return what all parts weigh together, of a schema that has passed ``check``."""
    return _Expansion(schema, weigh, None).size(schema, 0)


class _Expansion:
    def __init__(self, root: object, weigh: Weigh, size_max: int | None) -> None:
        self._root = root
        self._weigh = weigh
        self._size_max = size_max
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def size(self, part: object, depth: int) -> int:
        """What a part weighs, spelt out."""
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
        size = self._weigh(part) if isinstance(part, dict) else 0
        for inner, times in self._inner(part):
            size += times * self.size(inner, depth + 1)
            if self._size_max is not None and size > self._size_max:
                raise ValueError(
                    f"has more than {self._size_max} parts with its references spelt out, and what stands beside "
                    f"unevaluatedItems and unevaluatedProperties counted {_AGAIN} times: use fewer of them"
                )
        self._open.remove(id(part))
        self._sizes[id(part)] = size
        return size

    def _inner(self, part: Mapping[str, object] | list[object]) -> Iterator[tuple[object, int]]:
        """What a part holds, and how often that is looked at."""
        if isinstance(part, list):
            yield from ((inner, 1) for inner in part)
            return
        again = _AGAIN if _UNEVALUATED & part.keys() else 1
        for name, inner in part.items():
            times = again if name in _SAME_VALUE else 1
            if name in ("$ref", "$dynamicRef") and isinstance(inner, str):
                yield self._target(inner), times
            elif name == "$id" and isinstance(inner, str) and part is not self._root:
                raise ValueError("must not have an $id in a part: refer to parts by #/…")
            elif name in _NAMED and isinstance(inner, dict):
                yield from ((one, times) for one in inner.values())
            elif name not in _DATA:
                yield inner, times

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
