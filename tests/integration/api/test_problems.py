"""Errors: one shape for all of them, a stable code, and nothing in it that the caller must not see."""

import io
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.integration.api.conftest import Caller

SCOPE = "/v1/namespaces/payments/envs/staging/config"
BODY_BYTES_MAX = 1024 * 1024


def assert_problem(answer: TestResponse, status: int, code: str) -> None:
    """The answer is a whole problem document of this code."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    problem = answer.json
    expected = {"type", "title", "status", "code", "detail", "request_id"} | ({"errors"} if status == 422 else set())
    assert set(problem) == expected
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert problem["detail"]
    assert "Traceback" not in answer.text
    for error in problem.get("errors", ()):
        assert set(error) == {"field", "message"}


def test_every_error_has_the_same_shape(
    ops: Caller, caller: Callable[[str | None], Caller], limited: Callable[..., Caller]
) -> None:
    """Each code, met over HTTP, is a problem document with the request's id."""
    ops.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    viewer = caller("viewer")
    cases = [
        (ops.put(f"{SCOPE}/a", b"{"), 400, "malformed"),
        (caller(None).get(SCOPE), 401, "unauthenticated"),
        (viewer.put(f"{SCOPE}/a", {"value": 2}), 403, "forbidden"),
        (ops.get("/v1/nothing"), 404, "not_found"),
        (ops.get(f"{SCOPE}/none"), 404, "not_found"),
        (limited("ops", "search").get(SCOPE), 404, "not_found"),
        (ops.put(f"{SCOPE}/a", {"value": "1", "type": "string"}), 409, "conflict"),
        (ops.put(f"{SCOPE}/a", {"value": 2}, headers={"If-Match": '"v9"'}), 412, "revision_mismatch"),
        (ops.put(f"{SCOPE}/a", b" " * (BODY_BYTES_MAX + 1)), 413, "payload_too_large"),
        (ops.put(f"{SCOPE}/a", {"value": "1"}), 422, "validation_failed"),
    ]
    for answer, status, code in cases:
        assert_problem(answer, status, code)


def test_a_method_that_is_not_there_is_405(ops: Caller) -> None:
    """405 names the methods that are."""
    answer = ops.post(SCOPE, {})
    assert_problem(answer, 405, "method_not_allowed")
    assert {"GET", "PATCH"} <= {method.strip() for method in answer.headers["Allow"].split(",")}
    for method in ("TRACE", "CONNECT", "PROPFIND", "BREW"):
        assert_problem(ops.send(method, SCOPE), 405, "method_not_allowed")


def test_a_refused_caller_is_told_how_to_come_in(caller: Callable[[str | None], Caller]) -> None:
    """401 says which scheme is asked for."""
    assert caller(None).get(SCOPE).headers["WWW-Authenticate"] == "Bearer"


def test_a_callers_request_id_is_given_back(ops: Caller) -> None:
    """A sane X-Request-Id is echoed in header and problem; another one is replaced, never reflected."""
    answer = ops.get(f"{SCOPE}/none", headers={"X-Request-Id": "deploy-7.a_b"})
    assert answer.headers["X-Request-Id"] == answer.json["request_id"] == "deploy-7.a_b"
    for bad in ("a b", "x" * 65, "<script>", "", 'a"b'):
        answer = ops.get(f"{SCOPE}/none", headers={"X-Request-Id": bad})
        assert answer.headers["X-Request-Id"] == answer.json["request_id"] != bad
        assert len(answer.json["request_id"]) == 16


def test_no_error_quotes_a_value(ops: Caller) -> None:
    """What was sent as a value stays out of the answer, however wrong it is: it may be somebody's password."""
    secret = "hunter2-Zq9"
    ops.put(f"{SCOPE}/number", {"value": 1, "type": "int"})
    ops.put(f"{SCOPE}/flag", {"value": True, "type": "bool"})
    calls: list[tuple[str, str, object]] = [
        ("PUT", f"{SCOPE}/number", {"value": secret}),
        ("PUT", f"{SCOPE}/flag", {"value": {secret: secret}}),
        ("PUT", f"{SCOPE}/number", {"value": 1, "note": [secret]}),
        ("PUT", f"{SCOPE}/number", {"value": 1, "type": secret}),
        ("PUT", f"{SCOPE}/number", f'{{"value": "{secret}'.encode()),
        ("PUT", f"{SCOPE}/number", f'{{"value": "{secret}" "{secret}"}}'.encode()),
        ("PUT", f"{SCOPE}/number", f'{{"value": "\\{secret}"}}'.encode()),
        ("PUT", f"{SCOPE}/number", f'{{"{secret}": 1, "{secret}": 2}}'.encode()),
        ("PUT", f"{SCOPE}/number", secret.encode()),
        ("PATCH", SCOPE, {"changes": [{"key": "number", "value": secret}]}),
        ("PATCH", SCOPE, {"changes": secret}),
        ("PATCH", SCOPE, {"changes": [secret]}),
        ("POST", "/v1/sync", {"client": secret, "env": "staging", "namespaces": ["payments"]}),
    ]
    for method, path, body in calls:
        answer = ops.send(method, path, body)
        assert answer.status_code in (400, 422), (method, path, body)
        assert secret not in answer.text, (method, path, body)


def test_an_answer_about_a_huge_mistake_is_small(ops: Caller) -> None:
    """Thousands of errors, or a field name of a megabyte, are answered in a few kilobytes."""
    ops.post("/v1/namespaces/payments/keys", {"key": "a", "type": "int"})
    bodies: list[object] = [
        {"changes": [{"key": f"k{number}", "value": 1} for number in range(10_000)]},
        {"changes": [{"key": f"k{number}", "valu": 1} for number in range(10_000)]},
        {"changes": [{"key": "a b" * 60, "value": 1}] * 2_000},
        {"changes": [{"key": "a", "value": 1, "x" * 500_000: 1}]},
        {"changes": [{"key": "k" * 500_000, "value": 1}]},
    ]
    for body in bodies:
        answer = ops.patch(SCOPE, body)
        assert answer.status_code == 422
        assert len(answer.data) < 16 * 1024


@pytest.mark.parametrize("path", [f"{SCOPE}/a", "/v1/sync"])
def test_a_body_over_one_mebibyte_is_refused(app: Flask, ops: Caller, path: str) -> None:
    """Whether its length is told or not, and a body of exactly the limit is read."""
    method = "POST" if path == "/v1/sync" else "PUT"
    assert_problem(ops.send(method, path, b" " * BODY_BYTES_MAX), 400, "malformed")
    assert_problem(ops.send(method, path, b" " * (BODY_BYTES_MAX + 1)), 413, "payload_too_large")
    untold = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = app.test_client().open(
        path,
        method=method,
        headers={"Authorization": f"Bearer {ops.token}"},
        input_stream=io.BytesIO(b" " * (BODY_BYTES_MAX + 1)),
        environ_overrides=untold,
    )
    assert_problem(answer, 413, "payload_too_large")


def test_a_full_scope_takes_no_more(ops: Caller) -> None:
    """16 MiB in one scope is the limit: the write that would go over it is 413 and writes nothing; unsetting works."""
    value = "x" * (256 * 1024 - 64)
    for number in range(65):
        answer = ops.put(f"{SCOPE}/k{number}", {"value": value, "type": "string"})
        if answer.status_code != 200:
            break
    assert_problem(answer, 413, "payload_too_large")
    scope = ops.get(SCOPE).json
    assert len(scope["values"]) == scope["revision"] == 64
    assert ops.delete(f"{SCOPE}/k0").status_code == 200
    assert ops.put(f"{SCOPE}/k64", {"value": value, "type": "string"}).status_code == 200


def test_a_bug_shows_a_request_id_and_nothing_else(app: Flask, ops: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw is 500 with the id under which the log has the trace."""

    def broken() -> None:
        raise ZeroDivisionError("the innards")

    app.add_url_rule("/v1/broken", view_func=broken)
    answer = ops.get("/v1/broken", headers={"X-Request-Id": "find-me"})
    assert_problem(answer, 500, "internal")
    assert "innards" not in answer.text
    assert any("find-me" in record.getMessage() and record.exc_info for record in caplog.records)


def test_health_needs_no_token(caller: Callable[[str | None], Caller]) -> None:
    """``/healthz`` and ``/readyz`` answer anybody."""
    assert caller(None).get("/healthz").json == {"status": "ok"}
    assert caller(None).get("/readyz").status_code == 200
