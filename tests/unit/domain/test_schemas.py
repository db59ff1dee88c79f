"""Schemas: what may be declared, what is found wrong with a value, and what a message never says."""

import re

import pytest

from configsvc.domain import schemas

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SECRET = "hunter2"


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (True, 5, None),
        ({"minimum": 1, "maximum": 10}, 5, 11),
        ({"$schema": DIALECT, "enum": ["a", "b"]}, "a", "c"),
        ({"pattern": "^[a-z]+$"}, "abc", "ABC"),
        ({"format": "uri"}, "https://example.com", "no address"),
        ({"maximum": 2**63 - 1}, 2**63 - 1, None),
        ({"maximum": 1e308}, 1e308, 1.1e308),
        ({"$defs": {"port": {"type": "integer"}}, "items": {"$ref": "#/$defs/port"}}, [1], ["1"]),
        ({"$id": "https://a.example/s", "$ref": "https://a.example/s#/$defs/a", "$defs": {"a": {"const": 1}}}, 1, 2),
        ({"$ref": "#port", "$defs": {"a": {"$anchor": "port", "type": "integer"}}}, 1, "1"),
        ({"$ref": "#/$defs/a~1b%25", "$defs": {"a/b%": {"type": "integer"}}}, 1, "1"),
        ({"properties": {"$ref": {"type": "integer"}}}, {"$ref": 1}, {"$ref": "1"}),
        ({"const": {"$ref": "#"}}, {"$ref": "#"}, 1),
    ],
)  # fmt: skip
def test_a_schema_takes_what_it_says(schema: object, good: object, bad: object) -> None:
    """Bounds, choices, patterns, formats, and references inside the schema all count."""
    text = schemas.to_text(schema)
    assert schemas.Checks().problem(text, good) is None
    if bad is not None:
        assert schemas.Checks().problem(text, bad)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        5,
        "true",  # would be taken for JSON text
        '{"type":"integer"}',
        [],
        {"type": "integr"},
        {"minimum": "1"},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
        {"$schema": "https://json-schema.org/draft/2019-09/schema"},
        {"$schema": None},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "https://example.com/schema"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"$ref": "other.json"},
        {"$ref": "#/$defs/nowhere"},
        {"$ref": "#nowhere"},
        {"$dynamicRef": "https://example.com/schema#x"},
        {"$ref": DIALECT},
        {"$ref": "#"},
        {"properties": {"left": {"$ref": "#"}}},
        {"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"},
        {"$dynamicAnchor": "x", "items": {"$dynamicRef": "#x"}},
        {"properties": {"a": {"$id": "https://a.example/b", "$ref": "#"}}},
        {"pattern": "(?=a)b"},
        {"pattern": "(?<!a)b"},
        {"pattern": r"(a)\1"},
        {"pattern": "("},
        {"pattern": "(a{1000}){1000}"},
        {"patternProperties": {"(?=a)b": {}}},
        {"format": "nonsense"},
        {"enum": ["x" * schemas.SCHEMA_BYTES_MAX]},
    ],
)
def test_what_is_no_safe_schema_is_refused(schema: object) -> None:
    """Other drafts, anything outside the schema, patterns that take more than linear time, slips, and programs."""
    with pytest.raises(ValueError, match=r".") as caught:
        schemas.to_text(schema)
    assert len(str(caught.value)) <= schemas.MESSAGE_CHARACTERS_MAX


def test_a_bad_pattern_is_explained() -> None:
    """The message repeats it, and says what a pattern can't use."""
    with pytest.raises(ValueError, match=r"pattern '\(\?=a\)b'.*look-around"):
        schemas.to_text({"properties": {"a": {"pattern": "(?=a)b"}}})


def test_the_size_is_told_with_the_limit() -> None:
    """A schema of exactly the limit passes; one byte more is refused with both numbers."""
    room = schemas.SCHEMA_BYTES_MAX - len('{"description":""}')
    assert schemas.to_text({"description": "x" * room})
    with pytest.raises(ValueError, match=f"{schemas.SCHEMA_BYTES_MAX + 1}.*{schemas.SCHEMA_BYTES_MAX}"):
        schemas.to_text({"description": "x" * (room + 1)})


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"enum": ["a"]}, SECRET),
        ({"const": 5}, SECRET),
        ({"type": "integer"}, SECRET),
        ({"pattern": "^a$"}, SECRET),
        ({"format": "email"}, SECRET),
        ({"maxLength": 3}, SECRET),
        ({"minimum": 9999}, 4242),
        ({"multipleOf": 1000}, 4242),
        ({"uniqueItems": True}, [SECRET, SECRET]),
        ({"contains": {"const": 1}}, [SECRET]),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, SECRET),
        ({"anyOf": [{"const": 1}]}, SECRET),
        ({"not": {"type": "string"}}, SECRET),
        (False, SECRET),
        ({"items": {"type": "integer"}}, [SECRET]),
        ({"unevaluatedItems": False}, [SECRET]),
        ({"additionalProperties": False}, {SECRET: 4242}),
        ({"properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": False}, {SECRET: 4242}),
        ({"unevaluatedProperties": False}, {SECRET: 4242}),
        ({"propertyNames": {"maxLength": 3}}, {SECRET: 4242}),
        ({"propertyNames": {"enum": ["a"]}}, {SECRET: 4242}),
        ({"additionalProperties": {"type": "string"}}, {SECRET: 4242}),
        ({"required": ["a"]}, {SECRET: 4242}),
        ({"minProperties": 2}, {SECRET: 4242}),
    ],
)
def test_a_message_never_quotes_the_value(schema: object, value: object) -> None:
    """Neither values nor names that the value alone has, whichever rule is broken."""
    problem = schemas.Checks().problem(schemas.to_text(schema), value)
    assert problem
    assert SECRET not in problem
    assert "4242" not in problem


def test_a_message_says_where() -> None:
    """Names that the schema has, and places in lists, show the way; other names are a star."""
    schema = {"properties": {"ports": {"items": {"type": "integer"}}}, "additionalProperties": {"type": "string"}}
    text = schemas.to_text(schema)
    assert str(schemas.Checks().problem(text, {"ports": [1, "2"]})).startswith("/ports/1: ")
    assert str(schemas.Checks().problem(text, {"other": 5})).startswith("/*: ")


def test_a_message_is_short() -> None:
    """A schema's long list of choices is not repeated whole in every message."""
    text = schemas.to_text({"enum": [f"choice-{number}" for number in range(2_000)]})
    assert len(str(schemas.Checks().problem(text, "x"))) <= schemas.MESSAGE_CHARACTERS_MAX


def chain(length: int, twice: bool) -> dict[str, object]:
    """A schema whose parts refer to the next one each, once or twice."""
    names = [f"d{number}" for number in range(length)]
    parts: dict[str, object] = {"d" + str(length): {"type": "string"}}
    for name, following in zip(names, [*names[1:], f"d{length}"], strict=True):
        parts[name] = {"anyOf": [{"$ref": f"#/$defs/{following}"}] * (2 if twice else 1)}
    return {"$ref": "#/$defs/d0", "$defs": parts}


def test_references_that_blow_up_are_refused() -> None:
    """Doubling at each of 12 steps is too much; so is a chain of hundreds; a chain of 20 is fine."""
    assert schemas.Checks().problem(schemas.to_text(chain(20, twice=False)), "a") is None
    assert schemas.Checks().problem(schemas.to_text(chain(8, twice=True)), 1)
    with pytest.raises(ValueError, match="more than 5000 parts"):
        schemas.to_text(chain(12, twice=True))
    with pytest.raises(ValueError, match="levels deep"):
        schemas.to_text(chain(700, twice=False))


def left_over(length: int) -> dict[str, object]:
    """A schema that asks again and again what is left over of the same value."""
    schema: dict[str, object] = {"properties": {"a": True}}
    for _ in range(length):
        schema = {"anyOf": [schema, {"required": ["z"]}], "unevaluatedProperties": {"type": "integer"}}
    return schema


def test_what_is_left_over_may_not_be_asked_for_again_and_again() -> None:
    """Nested in place it doubles with each level, half a minute for twenty; one for each level of a value is fine."""
    assert schemas.Checks().problem(schemas.to_text(left_over(4)), {"a": 1, "b": 2}) is None
    with pytest.raises(ValueError, match="more than 5000 parts"):
        schemas.to_text(left_over(20))
    schema: dict[str, object] = {"type": "integer"}
    value: object = 1
    for _ in range(20):
        schema, value = {"properties": {"a": schema}, "unevaluatedProperties": False}, {"a": value}
    assert schemas.Checks().problem(schemas.to_text(schema), value) is None


def test_a_property_may_have_the_name_of_a_keyword() -> None:
    """What it holds is counted all the same."""
    with pytest.raises(ValueError, match="more than 5000 parts"):
        schemas.to_text({"properties": {"default": left_over(20)}})
    text = schemas.to_text({"properties": {"pattern": {"type": "integer"}}})
    assert schemas.Checks().problem(text, {"pattern": 1}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": ".*a.{3000}$"},
        {"allOf": [{"pattern": f"a.{{{900 + number}}}"} for number in range(500)]},
        {"allOf": [{"$ref": "#/$defs/a"}] * 100, "$defs": {"a": {"pattern": "^.{100}"}}},
        {"patternProperties": {f"x{number}.*y": {} for number in range(1_000)}},
    ],
)
def test_patterns_that_are_too_large_are_refused(schema: object) -> None:
    """One, all together, and all as often as they are referred to: they would be compiled, kept, and slow to match."""
    with pytest.raises(ValueError, match=r"too large|more than 1048576 bytes"):
        schemas.to_text(schema)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "^[01]*1[01]{3000}2"}, "01" * 100_000),
        ({"items": {"allOf": [{"not": {"const": f"x{number}"}} for number in range(1_000)]}}, ["a"] * 20_000),
        ({"allOf": [{"uniqueItems": True, "minItems": number} for number in range(100)]}, [*range(20_000)]),
        ({"items": {"not": {"enum": [number + 0.5 for number in range(8_000)]}}}, [-1.5] * 5_000),
        ({"items": {"not": {"enum": [[number] for number in range(8_000)]}}}, [[-1]] * 2_000),
        ({"allOf": [{"items": {"multipleOf": 1e-300}} for _ in range(50)]}, [1.7e308] * 2_000),
        ({"allOf": [{"anyOf": [{"format": "iri-reference"}, True]} for _ in range(500)]}, "a" * 200_000),
    ],
)
def test_a_value_is_not_checked_where_that_would_take_long(schema: object, value: object) -> None:
    """A large value and a costly schema are refused together, before a worker spends seconds on them."""
    text = schemas.to_text(schema)
    assert re.search("too many to check|too large for more than", str(schemas.Checks().problem(text, value)))
    assert "too" not in str(schemas.Checks().problem(text, value[:10]))


def test_the_values_of_one_request_are_bounded_together() -> None:
    """What is fine alone is refused where a hundred such values came at once, and says to send fewer."""
    text = schemas.to_text({"items": {"allOf": [{"not": {"const": f"x{number}"}} for number in range(100)]}})
    checks, value = schemas.Checks(), ["a"] * 2_000
    found = [checks.problem(text, value) for _ in range(100)]
    assert found[0] is None
    assert "send fewer at once" in str(found[-1])


def test_the_schemas_of_one_request_are_bounded_together() -> None:
    """A hundred patterns of the largest size would take seconds to compile; the message says to send fewer."""
    checks = schemas.Checks()
    declared = ({"pattern": f"^{number}.{{900}}"} for number in range(100))
    with pytest.raises(ValueError, match="send fewer at once"):
        list(map(checks.to_text, declared))


def test_a_schema_that_was_declared_before_the_bounds_names_itself() -> None:
    """It is neither checked nor an error of the service: the message says what is wrong with it, and the way out."""
    text = '{"pattern":".*a.{3000}$"}'
    assert re.search(r"the schema itself has the pattern.*PATCH the key", str(schemas.Checks().problem(text, "a")))


def test_large_values_and_common_schemas_go_together() -> None:
    """A hundred patterns of a common kind are matched with more than half as much text as a value may be."""
    names = {f"p{number}": {"type": "string", "pattern": r"^[\w.-]+$", "maxLength": 4_000} for number in range(100)}
    text = schemas.to_text({"type": "object", "properties": names, "additionalProperties": False})
    assert schemas.Checks().problem(text, dict.fromkeys(names, "a" * 1_500)) is None
