"""docs/api.md: the document as a page for people."""

import json
from collections.abc import Iterable
from typing import Any

from configsvc.api.openapi.document import Json

_HEAD = """\
# API reference

Made from `/openapi.json` by `.venv/bin/python -m configsvc.api.openapi > docs/api.md`; a test fails where the two
differ. The document itself has every schema, pattern and bound, and feeds generators of clients.

"""
_CONVENTIONS = """
`Authorization: Bearer cfg_…` goes with every call but those marked *no token*. Every answer has `X-Request-Id`. `S` is
`/v1/namespaces/{namespace}/envs/{env}`.
"""
# For tests/docs, which runs the blocks of every page.
_NOT_RUN = "<!-- not run: tests/integration/api/test_openapi.py sends every example -->"
_SCOPE = "/v1/namespaces/{namespace}/envs/{env}/"


def page(document: Json) -> str:
    """Return the page as Markdown."""
    lines = [_HEAD + document["info"]["description"] + "\n" + _CONVENTIONS]
    for area, operations in _areas(document).items():
        lines += [f"## {area.capitalize()}", ""]
        lines += _table("call", "does", "takes", "problems")
        lines += [_row(call, operation) for call, operation in operations]
        lines += ["", _NOT_RUN, "```text"]
        lines += [line for call, operation in operations for line in _example(call, operation)]
        lines += ["```", ""]
    components = document["components"]
    lines += ["## Parameters", "", *_table("name", "in", "means")]
    lines += [
        f"| `{each['name']}` | {each['in']} | {each['description']} |" for each in components["parameters"].values()
    ]
    lines += ["", "## Headers of answers", "", *_table("name", "means")]
    lines += [f"| `{name}` | {header['description']} |" for name, header in components["headers"].items()]
    lines += ["", "## Problems", "", *_table("status", "code", "means")]
    lines += [_problem(code, problem) for code, problem in components["responses"].items()]
    return "\n".join(lines) + "\n"


def _areas(document: Json) -> dict[str, list[tuple[str, Json]]]:
    """Return the operations of each area, with their calls."""
    areas: dict[str, list[tuple[str, Json]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            call = f"{method.upper()} {path.replace(_SCOPE, 'S/')}"
            areas.setdefault(operation["tags"][0], []).append((call, operation))
    return areas


def _table(*columns: str) -> list[str]:
    return [f"| {' | '.join(columns)} |", "| --- " * len(columns) + "|"]


def _row(call: str, operation: Json) -> str:
    names = [reference["$ref"].rpartition("/")[2].partition(".") for reference in operation["parameters"]]
    takes = ", ".join(f"`{name}`" for place, _, name in names if place != "path")
    open_ = " (*no token*)" if operation.get("security") == [] else ""
    problems = ", ".join(status for status in operation["responses"] if status >= "400")
    return f"| `{call}` | {operation['summary']}{open_} | {takes} | {problems} |"


def _example(call: str, operation: Json) -> Iterable[str]:
    sent = operation.get("requestBody", {}).get("content")
    yield f"{call}  {_shown(sent)}".rstrip()
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            yield f"  {status}  {_shown(response.get('content'))}".rstrip()


def _shown(content: Any) -> str:
    if content is None:
        return ""
    ((_, shown),) = content.items()
    return json.dumps(shown["example"], ensure_ascii=False)


def _problem(code: str, problem: Json) -> str:
    ((_, content),) = problem["content"].items()
    meaning = problem["description"].partition(": ")[2]
    return f"| {content['example']['status']} | `{code}` | {meaning} |"
