"""Puts the document together: the table of calls, with the JSON Schemas of the models."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import WithDefaultSchema

from configsvc import __version__
from configsvc.api.openapi import parameters, problems
from configsvc.api.openapi.operations import OPERATIONS, Operation
from configsvc.api.openapi.parameters import Parameter
from configsvc.api.problems import STATUS

Json = dict[str, Any]

_ABOUT = """\
Versioned settings for running applications. Errors are RFC 9457 problem documents: act on `code`.
HEAD goes wherever GET does, OPTIONS names the methods, another one answers 405 with the code `method_not_allowed`,
and another address 404.
Query parameters and fields that are not described are refused.\
"""
_TOKEN = "a token as `configsvc token create` makes it: `cfg_<id>_<secret>`"  # noqa: S105  # says what one looks like
_JSON, _PROBLEM_JSON = "application/json", "application/problem+json"
_COMPONENTS = "#/components"
_PROBLEM_HEADERS = {
    "unauthenticated": ("WWW-Authenticate",),
    "rate_limited": ("Retry-After",),
    "unavailable": ("Retry-After",),
}


class _Schemas(GenerateJsonSchema):
    """Schemas in the order of the source, without what says nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # the name says it all
        """No field has a title: its name is one."""
        return False

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        """A default of null only says that the field may be absent, which ``required`` says."""
        made = super().default_schema(schema)
        return {name: value for name, value in made.items() if name != "default" or value is not None}

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        """Keep the order."""
        return value


def document() -> Json:
    """Return the whole OpenAPI 3.1 document."""
    types: dict[str, Any] = {f"{operation.id} answer": operation.answer for operation in OPERATIONS if operation.answer}
    types |= {f"{operation.id} body": operation.body for operation in OPERATIONS if operation.body}
    types |= problems.MODELS
    made, shared = TypeAdapter.json_schemas(
        [(name, "validation", TypeAdapter(type_)) for name, type_ in types.items()],
        ref_template=f"{_COMPONENTS}/schemas/{{model}}",
        schema_generator=_Schemas,
    )
    bodies = _Bodies({name: schema for (name, _), schema in made.items()}, shared["$defs"])
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, bodies)
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "configsvc", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": _TOKEN}},
            "parameters": dict(_parameters()),
            "headers": {name: _parameter(header) for name, header in parameters.ANSWER_HEADERS.items()},
            "responses": {code: _problem(code, bodies) for code in problems.MODELS},
            "schemas": bodies.shared,
        },
    }
    # Docstrings mark code the way Python's do, the document the way Markdown does.
    plain: Json = json.loads(json.dumps(whole).replace("``", "`"))
    return plain


class _Bodies:
    """The schemas of bodies by name, and those that they share."""

    def __init__(self, schemas: Mapping[str, Json], shared: Json) -> None:
        self._schemas = schemas
        self.shared = shared

    def content(self, name: str, media_type: str = _JSON) -> Json:
        """Return a body's schema with an example of it."""
        schema = self._schemas[name]
        return {media_type: {"schema": schema, "example": self._example(schema)}}

    def meaning(self, name: str) -> str:
        """Return what a body is, in a sentence or two."""
        schema = self._schemas[name]
        described: str = self._first(schema)["description"]
        return " ".join(described.split())

    def _first(self, schema: Json) -> Json:
        """Follow references, and the first way where there are several, to what describes itself."""
        while not {"examples", "type", "const"} & schema.keys():
            reference = schema.get("$ref")
            schema = (schema.get("anyOf") or schema["oneOf"])[0] if reference is None else self._named(reference)
        return schema

    def _named(self, reference: str) -> Json:
        named: Json = self.shared[reference.rpartition("/")[2]]
        return named

    def _example(self, schema: Json) -> Any:
        schema = self._first(schema)
        if "examples" in schema:
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if schema["type"] == "object":
            return {name: self._example(schema["properties"][name]) for name in schema["required"]}
        if schema["type"] == "array":
            return [self._example(schema["items"])]
        return {"boolean": False, "null": None}[schema["type"]]


def _operation(operation: Operation, bodies: _Bodies) -> Json:
    made: Json = {
        "operationId": operation.id.replace(".", "_"),
        "tags": [operation.id.partition(".")[0]],
        "summary": operation.does,
        "parameters": [_ref("parameters", name) for name in _taken(operation)],
        "responses": dict(sorted(_responses(operation, bodies))),
    }
    if operation.body is not None:
        content = bodies.content(f"{operation.id} body")
        made["requestBody"] = {"required": not operation.body_optional, "content": content}
    if operation.anonymous:
        made["security"] = []
    return made


def _taken(operation: Operation) -> Iterable[str]:
    yield from (f"path.{name}" for name in re.findall(r"\{(\w+)\}", operation.path))
    yield from (f"query.{name}" for name in operation.takes)
    yield from (f"header.{name}" for name in operation.headers)


def _responses(operation: Operation, bodies: _Bodies) -> Iterable[tuple[str, Json]]:
    headers = _headers(operation.gives)
    if operation.answer is None:
        yield str(operation.status), {"description": HTTPStatus(operation.status).phrase, "headers": headers}
    else:
        name = f"{operation.id} answer"
        content = bodies.content(name, operation.media_type)
        yield str(operation.status), {"description": bodies.meaning(name), "headers": headers, "content": content}
    if "If-None-Match" in operation.headers:
        yield "304", {"description": "It is what the caller has.", "headers": headers}
    of_status = {
        STATUS[code]: [each for each in operation.problems if STATUS[each] == STATUS[code]]
        for code in operation.problems
    }
    for status, codes in of_status.items():
        yield str(status), _ref("responses", codes[0]) if len(codes) == 1 else _one_of(codes, bodies)


def _problem(code: str, bodies: _Bodies) -> Json:
    return {
        "description": f"`{code}`: {bodies.meaning(code)}",
        "headers": _headers(_PROBLEM_HEADERS.get(code, ())),
        "content": bodies.content(code, _PROBLEM_JSON),
    }


def _one_of(codes: Sequence[str], bodies: _Bodies) -> Json:
    """Return the answer of one status with several codes."""
    described = [_problem(code, bodies) for code in codes]
    contents = [each["content"][_PROBLEM_JSON] for each in described]
    schema = {"anyOf": [content["schema"] for content in contents]}
    return {
        **described[0],
        "description": " ".join(each["description"] for each in described),
        "content": {_PROBLEM_JSON: {"schema": schema, "example": contents[0]["example"]}},
    }


def _headers(names: Iterable[str]) -> Json:
    return {name: _ref("headers", name) for name in ("X-Request-Id", *names)}


def _parameters() -> Iterable[tuple[str, Json]]:
    places = {"path": parameters.PATH, "query": parameters.QUERY, "header": parameters.HEADERS}
    for place, table in places.items():
        for name, parameter in table.items():
            yield f"{place}.{name}", {"name": parameter.name or name, "in": place, **_parameter(parameter)}


def _parameter(parameter: Parameter) -> Json:
    schema = TypeAdapter(parameter.type).json_schema(schema_generator=_Schemas)
    if parameter.default is not None:
        schema["default"] = parameter.default
    required = {"required": True} if parameter.required else {}
    return {"description": parameter.says, **required, "schema": schema}


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"{_COMPONENTS}/{kind}/{name}"}
