"""Inputs that fit: what a schema says of a value is what its input offers."""

from collections.abc import Callable

import pytest

from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import put
from tests.integration.api.conftest import Caller

KEY = "/ui/namespaces/payments/development/k"


@pytest.mark.parametrize(
    ("type_", "value", "schema", "parts"),
    [
        ("string", "EUR", {"enum": ["EUR", "CHF"]}, ["<select", "<option selected>EUR", "<option>CHF"]),
        ("int", 10, {"enum": [10, 20]}, ["<select", "<option selected>10", "<option>20"]),
        ("int", 10, {"minimum": 5, "multipleOf": 5}, ['min="5"', 'step="5"', "at least 5, a multiple of 5"]),
        ("int", 10, {"minimum": 1, "multipleOf": 5}, ['step="1"', "a multiple of 5"]),
        ("float", 0.5, {"exclusiveMaximum": 1}, ['step="any"', "less than 1"]),
        (
            "string",
            "ab",
            {"pattern": "^[a-z]+$", "maxLength": 9},
            ["pattern=", "at most 9 characters, matches"],
        ),
        ("string", "ab", {"pattern": "(?i)ab"}, ["<textarea", "matches (?i)ab"]),
        ("json", [], {"type": "array"}, ["data-json", "json.js"]),
    ],
)
def test_an_input_fits_its_schema(
    signed_in: Callable[..., Browser], ops: Caller, type_: str, value: object, schema: object, parts: list[str]
) -> None:
    """Choices are chosen, bounds are the input's where a browser counts as we do, and all of it is said in words."""
    put(ops, "k", value, type_)
    assert ops.patch("/v1/namespaces/payments/keys/k", {"schema": schema}).status_code == 200
    page = signed_in("developer").get(KEY).text
    assert [part for part in parts if part not in page] == []
