"""The document by itself: valid, whole, and with examples that are true."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from schemathesis.specs.openapi import definitions

from configsvc.api.openapi import problems, reference
from configsvc.api.openapi.operations import OPERATIONS
from configsvc.api.problems import STATUS
from tests.openapi import Contract

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(scope="module")
def contract() -> Contract:
    """The document."""
    return Contract()


def _within(part: Any, name: str) -> Iterator[Any]:
    """Every value that stands under a name, however deep."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == name:
                yield value
            yield from _within(value, name)
    elif isinstance(part, list):
        for item in part:
            yield from _within(item, name)


def test_it_is_openapi_3_1(contract: Contract) -> None:
    """The document is valid by the schema that the OpenAPI initiative publishes."""
    assert [error.message for error in definitions.OPENAPI_31_VALIDATOR.iter_errors(contract.document)] == []


def test_every_body_has_an_example_that_fits(contract: Contract) -> None:
    """Each body of requests and answers shows one example, valid by its own schema."""
    contents = [content for found in _within(contract.document, "content") for content in found.values()]
    assert len(contents) > len(OPERATIONS)
    for content in contents:
        assert contract.problems_of(content["schema"], content["example"]) == []


def test_examples_of_bodies_come_through_the_door(contract: Contract) -> None:
    """The models that check requests take the examples."""
    for operation in OPERATIONS:
        if operation.body is not None:
            body = contract.operations[operation.id.replace(".", "_")]["requestBody"]
            operation.body.model_validate(body["content"]["application/json"]["example"])


def test_every_parameter_and_member_that_has_examples_shows_fitting_ones(contract: Contract) -> None:
    """Examples of the leaves obey the patterns and bounds beside them."""
    components = contract.document["components"]
    headers = [*components["parameters"].values(), *components["headers"].values()]
    schemas = [header["schema"] for header in headers]
    schemas += [member for model in components["schemas"].values() for member in model.get("properties", {}).values()]
    for schema in schemas:
        for example in schema.get("examples", ()):
            assert contract.problems_of(schema, example) == [], schema


def test_nothing_is_missing_and_nothing_is_left_over(contract: Contract) -> None:
    """Every reference leads somewhere, and every component is used."""
    references = set(_within(contract.document, "$ref"))
    for reference_ in references:
        contract.resolved({"$ref": reference_})
    components = {
        f"#/components/{kind}/{name}"
        for kind, named in contract.document["components"].items()
        for name in named
        if kind != "securitySchemes"
    }
    assert components - references == set()


def test_names_are_unique_and_fit_for_generated_code(contract: Contract) -> None:
    """Operations and models have names of their own that are identifiers."""
    assert len(contract.operations) == len(OPERATIONS)
    names = [*contract.operations, *contract.document["components"]["schemas"]]
    assert [name for name in names if not name.isidentifier()] == []


def test_every_code_is_described() -> None:
    """The codes that the service answers with are those of the document; 405 belongs to no operation."""
    assert set(STATUS) - set(problems.MODELS) == {"method_not_allowed"}


def test_the_document_is_plain_json(contract: Contract) -> None:
    """No mark of Python's own is in it."""
    text = json.dumps(contract.document)
    assert "``" not in text
    assert "$defs" not in text


def test_the_reference_page_is_what_the_document_says(contract: Contract) -> None:
    """docs/api.md is made from the document; python -m configsvc.api.openapi writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == reference.page(contract.document)
