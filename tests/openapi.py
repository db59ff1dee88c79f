"""Holds real answers against ``/openapi.json``."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
from werkzeug.test import TestResponse

from configsvc.api.openapi.document import document


class Contract:
    """The document, with its references followed."""

    def __init__(self) -> None:
        self.document = document()
        self.operations: dict[str, Any] = {
            operation["operationId"]: {"path": path, "method": method.upper(), **operation}
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        }

    def resolved(self, part: Any) -> Any:
        """Return a part, or what it refers to."""
        while "$ref" in part:
            target = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            part = target
        return part

    def parameters(self, operation_id: str) -> list[Any]:
        """Return what an operation takes beside its body."""
        return [self.resolved(parameter) for parameter in self.operations[operation_id]["parameters"]]

    def problems_of(self, schema: Any, value: object) -> list[str]:
        """Return where ``value`` breaks ``schema``."""
        whole = {**schema, "components": self.document["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(value)]

    def broken_by(self, operation_id: str, answer: TestResponse) -> list[str]:
        """Return what an answer has that the document does not say, and what it lacks."""
        documented = self.operations[operation_id]["responses"].get(str(answer.status_code))
        if documented is None:
            return [f"{answer.status_code} is not documented: {answer.text}"]
        documented = self.resolved(documented)
        found = []
        for name, reference in documented["headers"].items():
            header = self.resolved(reference)
            if name in answer.headers:
                integer = header["schema"].get("type") == "integer"
                value = int(answer.headers[name]) if integer else answer.headers[name]
                found += [f"{name}: {problem}" for problem in self.problems_of(header["schema"], value)]
            elif header.get("required"):
                found.append(f"the header {name} is missing")
        content = documented.get("content")
        if content is None:
            return found + ([f"a body: {answer.text}"] if answer.data else [])
        if answer.mimetype not in content:
            return [*found, f"{answer.content_type} instead of {list(content)}"]
        schema = content[answer.mimetype]["schema"]
        if answer.mimetype == "text/event-stream":
            return found + [problem for event in _events(answer.text) for problem in self.problems_of(schema, event)]
        return found + self.problems_of(schema, answer.json if answer.is_json else answer.text)


def _events(text: str) -> Iterator[dict[str, object]]:
    """The events of a stream that have data: fields by name."""
    for lines in text.split("\n\n"):
        fields: dict[str, object] = dict(
            line.split(": ", 1) for line in lines.splitlines() if not line.startswith((":", "retry"))
        )
        if fields:
            yield fields
