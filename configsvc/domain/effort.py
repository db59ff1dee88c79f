"""How long checking a value by a JSON Schema may take: the bound, and what it is made of.

A worker does nothing else meanwhile, so what could take more than a second or two is refused before it begins. The
bounds are products, because either factor alone may be large: parts of the schema by items of the value, and the size
of its patterns by the characters of the value. Patterns are matched in linear time, but linear in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import jsonschema_rs

from configsvc.domain import references

#: Of all patterns of a schema, spelt out and compiled: about 15 ms to compile, and kept in memory.
PATTERN_BYTES_MAX = 1024 * 1024
#: By measurement 20 to 450 ns each at worst.
STEPS_MAX = 10_000_000
#: By measurement 0.2 ns each at worst, for a pattern made to be slow; 0.01 and less for others.
PATTERN_STEPS_MAX = 10_000_000_000

#: By measurement a part with one of these takes as long over each item of a value as that many others.
_SLOW_PARTS = {"contains": 10, "uniqueItems": 10, "multipleOf": 250}
#: And so does each value of an enum or const that is compared one by one: 0.4 to 2.1 µs, for floats.
_COMPARED_PARTS = 5
#: Of a format: 0.2 µs for each character at worst, as a pattern of this size.
_FORMAT_BYTES = 1024

#: Of all schemas of one request: about a second to compile.
_REQUEST_PATTERN_BYTES_MAX = 64 * PATTERN_BYTES_MAX

#: Patterns differ a thousandfold in size: `^[a-z]+$` takes 304 bytes, `.{1000}` as much as there may be.
_SIZES = tuple(1 << exponent for exponent in range(8, 21))


@dataclass(frozen=True)
class Effort:
    """What a schema costs: parts for each item of a value, bytes of patterns for each character.

    What takes longer than others counts as many parts or bytes.
    """

    parts: int
    pattern_bytes: int

    @property
    def compiling(self) -> float:
        """What compiling takes of what one request may take, between 0 and 1."""
        return self.pattern_bytes / _REQUEST_PATTERN_BYTES_MAX

    def share(self, value: object) -> float:
        """Return what checking ``value`` takes of what one request may take, between 0 and 1.

        Raises:
            ValueError: it takes more; it says what is too large, and for what.
        """
        items, characters = _extent(value)
        if items * self.parts > STEPS_MAX:
            raise ValueError(
                f"has {items} items, and the schema {self.parts} parts: together too many to check; "
                f"the product may be {STEPS_MAX}"
            )
        if characters * self.pattern_bytes > PATTERN_STEPS_MAX:
            most = PATTERN_STEPS_MAX // self.pattern_bytes
            raise ValueError(
                f"has {characters} characters, and the schema's patterns and formats are too large for more than {most}"
            )
        return items * self.parts / STEPS_MAX + characters * self.pattern_bytes / PATTERN_STEPS_MAX


def effort(schema: object) -> Effort:
    """Return what a schema costs.

    Raises:
        ValueError: its references or its patterns blow up, or one is unusable; it says what to do instead.
    """
    references.check(schema)
    seen = 0

    def weigh(part: Mapping[str, object]) -> int:
        nonlocal seen
        size = sum(map(_size, _patterns(part))) + _FORMAT_BYTES * ("format" in part)
        seen += size
        _check(seen)  # in between, because each takes its time
        return size

    pattern_bytes = references.total(schema, weigh)
    _check(pattern_bytes)
    return Effort(references.total(schema, _parts), pattern_bytes)


def _parts(part: Mapping[str, object]) -> int:
    """Return how many common parts take as long as this one."""
    compared = sum(_compared(part[name]) for name in ("const", "enum") if name in part)
    return max((parts for name, parts in _SLOW_PARTS.items() if name in part), default=1) + _COMPARED_PARTS * compared


def _compared(data: object) -> int:
    """Return how many values are compared one by one: not texts, nor whole numbers alone, which are looked up."""
    kinds = {type(each) for each in data} if isinstance(data, list) else {type(data)}
    return 0 if kinds in ({str}, {int}) else _extent(data)[0]


def _check(pattern_bytes: int) -> None:
    if pattern_bytes > PATTERN_BYTES_MAX:
        raise ValueError(
            f"has patterns and formats that take more than {PATTERN_BYTES_MAX} bytes when they are spelt out and "
            "compiled: use fewer, and bound lengths by maxLength instead of {1,1000}"
        )


def _patterns(part: Mapping[str, object]) -> list[str]:
    own, of_names = part.get("pattern"), part.get("patternProperties")
    return [*([own] if isinstance(own, str) else []), *(of_names if isinstance(of_names, dict) else [])]


@lru_cache(1_000)
def _size(pattern: str) -> int:
    """Return how large a pattern is when it is compiled: the next power of two."""
    for size in _SIZES:
        try:
            jsonschema_rs.Draft202012Validator(
                {"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions(size_limit=size)
            )
        except jsonschema_rs.ValidationError:
            continue
        return size
    raise ValueError(
        f"has the pattern {pattern[:100]!r}: it must be a regular expression without look-around and back references, "
        "and not too large"
    )


def _extent(value: object) -> tuple[int, int]:
    """Return how many items a value has, itself included, and how many characters, names included."""
    items, characters, left = 0, 0, [value]
    while left:
        one = left.pop()
        items += 1
        if isinstance(one, dict):
            characters += sum(map(len, one))
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)
        elif isinstance(one, str):
            characters += len(one)
    return items, characters
