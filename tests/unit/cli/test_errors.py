"""Problem documents become one line and an exit code that scripts can rely on."""

from typing import Any

import pytest

from configclient.cli._errors import Exit, from_problem

CODES = [
    (400, "malformed", Exit.INVALID),
    (401, "unauthenticated", Exit.FORBIDDEN),
    (403, "forbidden", Exit.FORBIDDEN),
    (404, "not_found", Exit.NOT_FOUND),
    (409, "conflict", Exit.CONFLICT),
    (409, "review_required", Exit.CONFLICT),
    (412, "revision_mismatch", Exit.CONFLICT),
    (413, "payload_too_large", Exit.INVALID),
    (422, "validation_failed", Exit.INVALID),
    (429, "rate_limited", Exit.UNAVAILABLE),
    (500, "internal", Exit.UNAVAILABLE),
    (503, "unavailable", Exit.UNAVAILABLE),
    (418, "some_code_of_the_future", Exit.UNAVAILABLE),
]


@pytest.mark.parametrize(("status", "code", "exit_code"), CODES)
def test_every_code_of_the_contract_has_its_exit_code(status: int, code: str, exit_code: Exit) -> None:
    """A script can tell from the exit code what kind of failure it was."""
    failure = from_problem(status, {"code": code, "detail": "What happened."})
    assert failure.exit_code is exit_code
    assert str(failure).startswith("What happened")


TEXTS: list[tuple[dict[str, Any], str]] = [
    (
        {
            "code": "validation_failed",
            "detail": "The request is not valid.",
            "errors": [{"field": "value", "message": "is no int"}, {"field": "note", "message": "is too long"}],
        },
        "The request is not valid: value: is no int, note: is too long",
    ),
    (
        {"code": "review_required", "detail": "production is protected: POST the change to …", "request_url": "/v1/…"},
        "production is protected; --yes proposes it; in an emergency, --break-glass writes it at once",
    ),
    (
        {
            "code": "validation_failed",
            "detail": "value: 1.0 is no int",
            "errors": [{"field": "value", "message": "1.0 is no int"}],
        },
        "value: 1.0 is no int",
    ),
    (
        {"code": "internal", "detail": "something is wrong; the log has more", "request_id": "ab12"},
        "something is wrong; the log has more; look for request ab12 there",
    ),
    (
        {"code": "unauthenticated", "detail": "unknown token"},
        "unknown token; check CONFIGSVC_TOKEN, or `configctl login` again",
    ),
    ({"code": "new", "title": "Odd"}, "Odd"),
    ({"code": "new"}, "the service answered 409"),
    ({"code": "new", "detail": "two\nlines \x1b[2J"}, "two lines  [2J"),
]


@pytest.mark.parametrize(("problem", "line"), TEXTS)
def test_the_line_says_what_happened_and_what_to_do(problem: dict[str, Any], line: str) -> None:
    """Detail first, then the fields at fault, then the next step; nothing that could drive a terminal."""
    assert str(from_problem(409, problem)) == line


def test_a_retry_after_is_named() -> None:
    """Somebody who must wait is told how long."""
    failure = from_problem(429, {"code": "rate_limited", "detail": "too many requests"}, "7")
    assert str(failure) == "too many requests; try again in 7 s"


def test_what_stands_in_the_way_of_an_undo_is_named() -> None:
    """Keys and revisions in the same line, the first ten of many; the detail has said what to do next."""
    conflicts = [{"namespace": "payments", "key": f"k{i}", "revision": 40 + i} for i in range(12)]
    problem = {"code": "conflict", "detail": "later changes touch the same keys; undo those first"}
    assert str(from_problem(409, problem | {"conflicts": conflicts[:2]})) == (
        "later changes touch the same keys; undo those first: payments/k0 (revision 40), payments/k1 (revision 41)"
    )
    assert str(from_problem(409, problem | {"conflicts": conflicts})).endswith("payments/k9 (revision 49), and 2 more")
