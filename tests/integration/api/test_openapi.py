"""``/openapi.json`` and the service say the same: routes, statuses, headers and bodies of real answers."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from flask import Flask
from werkzeug.test import TestResponse

from configsvc.api.openapi.operations import OPERATIONS
from configsvc.errors import Unavailable
from configsvc.service import rates
from tests.integration.api.conftest import Caller, rules
from tests.openapi import Contract

BODY_BYTES_MAX = 1024 * 1024
OPERATION_IDS = [operation.id.replace(".", "_") for operation in OPERATIONS]
CONTRACT = Contract()
#: What no request can bring about: bugs and outages.
NOBODYS_FAULT = {"500", "503"}
#: Reports of clients are written every second.
HEARD_WITHIN_S = 20


def test_document_and_routes_are_the_same(app: Flask) -> None:
    """Every route is described under its endpoint's name, and nothing else is."""
    served = {
        (rule.endpoint.replace(".", "_"), method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in rules(app)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(name, operation["method"], operation["path"]) for name, operation in CONTRACT.operations.items()}
    assert described == served


def test_anybody_may_read_it(caller: Callable[[str | None], Caller]) -> None:
    """The document needs no token, and is the one that these tests go by."""
    answer = caller(None).get("/openapi.json")
    assert answer.content_type == "application/json"
    assert answer.json == CONTRACT.document


class Examples:
    """Sends the documented examples, in a fresh environment where they make sense: two keys have a value each.

    One of them has another one in development, too.
    """

    def __init__(self, caller: Callable[[str | None], Caller], env: str) -> None:
        self._caller = caller
        self._env = env
        self._numbers: dict[str, str] = {}
        admin = caller("admin")
        assert admin.post("/v1/envs", {"name": env}).status_code == 201
        for place, key, value in ((env, "rate_limit", 100), (env, "old_limit", 10), ("development", "rate_limit", 120)):
            path = f"/v1/namespaces/payments/envs/{place}/config/{key}"
            assert admin.put(path, {"value": value, "type": "int"}).status_code == 200

    def send(self, name: str, role: str | None = "admin", **other: Any) -> TestResponse:
        """Send an operation as its examples show it, but for what is given otherwise."""
        operation = CONTRACT.operations[name]
        names = {"namespace": "payments", "env": self._env, "key": "rate_limit", "revision": "1"}
        names |= self._made(name) if "_id}" in operation["path"] or name == "access_create_grant" else {}
        query = {
            each["name"]: "1" for each in CONTRACT.parameters(name) if each["in"] == "query" and "required" in each
        }
        query |= {"timeout": "0"} if name in ("sync_watch", "sync_follow") else {}
        query |= {"envs": f"development,{self._env}"} if name == "comparisons_compare" else {}
        body = other.pop("body", None)
        if body is None and "requestBody" in operation:
            body = self.body(name)
            body |= {"token_id": names["token_id"]} if name == "access_create_grant" else {}
        path = operation["path"].format_map(names | other.pop("path", {}))
        query |= other.pop("query", {})
        return self._caller(role).send(operation["method"], path, body, query_string=query, **other)

    def _made(self, name: str) -> dict[str, str]:
        """Make, once, what a path names by its number: a token with a grant, or a request that waits."""
        if self._numbers:
            return self._numbers
        admin = self._caller("admin")
        if name.startswith("access"):
            made = admin.post("/v1/tokens", {"name": f"{self._env}-bot"}).json
            grant = admin.post("/v1/grants", {"token_id": made["id"], "role": "viewer"}).json
            self._numbers = {"token_id": made["id"], "grant_id": str(grant["id"])}
            return self._numbers
        changes = [{"namespace": "payments", "key": "rate_limit", "value": 120}]
        author = self._caller("ops" if name == "change_requests_review" else "admin")
        made = author.post(f"/v1/envs/{self._env}/requests", {"changes": changes}).json
        self._numbers = {"request_id": str(made["id"])}
        if name == "change_requests_apply":
            self._caller("ops").post(f"/v1/requests/{made['id']}/reviews", {"decision": "approve"})
        return self._numbers

    def body(self, name: str) -> dict[str, Any]:
        """Return the example of a body."""
        return dict(CONTRACT.operations[name]["requestBody"]["content"]["application/json"]["example"])

    def success(self, name: str) -> TestResponse:
        """2xx."""
        if name == "keys_delete_key":
            self.send("keys_declare_key", body={"key": "unused", "type": "int"})
            return self.send(name, path={"key": "unused"})
        if name == "settings_reveal":
            self.send("keys_declare_key", body={"key": "password", "type": "string", "secret": True})
            assert self.send("writes_put_key", path={"key": "password"}, body={"value": "x"}).status_code == 200
            return self.send(name, path={"key": "password"})
        return self.send(name)

    def unchanged(self, name: str) -> TestResponse:
        """304."""
        return self.send(name, headers={"If-None-Match": self.send(name).headers.get("ETag", "*")})

    def malformed(self, name: str) -> TestResponse:
        """400."""
        return self.send(name, query={"nonsense": "\0"})

    def without_token(self, name: str) -> TestResponse:
        """401."""
        return self.send(name, role=None)

    def forbidden(self, name: str) -> TestResponse:
        """403."""
        return self.send(name, role="viewer")

    def not_found(self, name: str) -> TestResponse:
        """404."""
        absent = {"body": self.body(name) | {"env": "nowhere"}} if name == "sync_synchronize" else {}
        numbers = {"request_id": "999999", "token_id": "nobody", "grant_id": "999999"}
        if "{" not in CONTRACT.operations[name]["path"] and name.startswith(("access", "audit", "change")):
            absent = {"query": {"env": "nowhere"} if name != "access_me" else {"namespace": "nobody", "env": "nowhere"}}
        return self.send(name, path={"namespace": "nobody", "env": "nowhere", "key": "nothing"} | numbers, **absent)

    def conflict(self, name: str) -> TestResponse:
        """409: the second time, because of the first."""
        if name.startswith("writes") and name != "writes_undo":
            headers = {"Idempotency-Key": "the-same"}
            assert self.send(name, headers=headers).status_code == 200
            return self.send(name, headers=headers, body=self.body(name) | {"note": "something else"})
        if name == "change_requests_review":
            self.send(name, body={"decision": "reject"})
        if name == "keys_change_key":
            self._caller("admin").patch(f"/v1/envs/{self._env}", {"review_required": True})
            return self.send(name, body={"schema": {"maximum": 1_000_000}})
        if name == "change_requests_edit_request":
            self.send("change_requests_withdraw")
        return self.send(name)

    def mismatch(self, name: str) -> TestResponse:
        """412."""
        if name == "change_requests_review":
            return self.send(name, body={"decision": "approve", "digest": "0" * 64})
        return self.send(name, headers={"If-Match": '"r99.0123456789abcdef"'})

    def too_large(self, name: str) -> TestResponse:
        """413."""
        return self.send(name, body=b" " * (BODY_BYTES_MAX + 1))

    def invalid(self, name: str) -> TestResponse:
        """422."""
        return self.send(name, body={"nonsense": 1})

    def too_often(self, name: str) -> TestResponse:
        """429: with no burst at all, every request is one too many."""
        with mock.patch.object(rates, "BURST_S", -1):
            return self.send(name)


#: The way to each status. What only refuses comes first; a conflict needs the success before it.
WAYS: Mapping[str, Callable[[Examples, str], TestResponse]] = {
    "304": Examples.unchanged,
    "400": Examples.malformed,
    "401": Examples.without_token,
    "403": Examples.forbidden,
    "404": Examples.not_found,
    "412": Examples.mismatch,
    "413": Examples.too_large,
    "422": Examples.invalid,
    "429": Examples.too_often,
    "2": Examples.success,
    "409": Examples.conflict,
}


def test_every_answer_is_documented_and_every_documented_one_real(caller: Callable[[str | None], Caller]) -> None:
    """The examples succeed as they stand, each problem of each call can be met, and no way leads to another answer."""
    wrong = []
    for position, name in enumerate(OPERATION_IDS):
        examples = Examples(caller, f"env-{position}")
        documented = set(CONTRACT.operations[name]["responses"]) - NOBODYS_FAULT
        expected = [status for status in WAYS if any(each.startswith(status) for each in documented)]
        met = set()
        # What is not expected comes last, or its success would be in the way.
        for status in [*expected, *(each for each in WAYS if each not in expected)]:
            answer = WAYS[status](examples, name)
            met.add(str(answer.status_code))
            wrong += [f"{name}: {answer.status_code}: {broken}" for broken in CONTRACT.broken_by(name, answer)]
        wrong += [f"{name}: {status} was not met" for status in documented - met]
    assert wrong == []


def test_dry_runs_answer_as_described(caller: Callable[[str | None], Caller]) -> None:
    """Each write of settings takes dry_run, and answers then what a real one does not."""
    examples = Examples(caller, "dry")
    for name in OPERATION_IDS:
        if name.startswith("writes"):
            answer = examples.send(name, query={"dry_run": "true"})
            assert (answer.status_code, CONTRACT.broken_by(name, answer)) == (200, [])
            assert {"diff", "review_required", "watchers"} <= set(answer.json)


def test_answers_that_name_clients_are_described(caller: Callable[[str | None], Caller]) -> None:
    """With a client that has synced, the lists of clients are not empty, and as described."""
    examples = Examples(caller, "watched")
    body = examples.body("sync_synchronize") | {"env": "watched"}
    assert examples.send("sync_synchronize", role="service", body=body).status_code == 200
    deadline = time.monotonic() + HEARD_WITHIN_S
    while not (answer := examples.send("watchers_list_watchers", query={"namespace": "payments"})).json["items"]:
        assert time.monotonic() < deadline
    assert CONTRACT.broken_by("watchers_list_watchers", answer) == []
    answer = examples.send("watchers_get_convergence")
    assert answer.json["laggards"]
    assert CONTRACT.broken_by("watchers_get_convergence", answer) == []


def test_a_replayed_answer_says_so(caller: Callable[[str | None], Caller]) -> None:
    """The documented header tells a repeated request from a first one."""
    examples = Examples(caller, "replay")
    answers = [examples.send("writes_put_key", headers={"Idempotency-Key": "the-same"}) for _ in range(2)]
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
    assert CONTRACT.broken_by("writes_put_key", answers[1]) == []


def test_what_is_nobodys_fault_is_described_too(app: Flask, caller: Callable[[str | None], Caller]) -> None:
    """A bug is 500 and an outage 503, with the headers and bodies of the document."""

    def failing(error: Exception) -> Callable[[], None]:
        def view() -> None:
            raise error

        return view

    examples = Examples(caller, "failing")
    for status, error in {500: ZeroDivisionError("a bug"), 503: Unavailable("an outage")}.items():
        app.view_functions["catalog.list_environments"] = failing(error)
        answer = examples.send("catalog_list_environments")
        assert (answer.status_code, CONTRACT.broken_by("catalog_list_environments", answer)) == (status, [])


def test_answers_about_secrets_are_described(caller: Callable[[str | None], Caller]) -> None:
    """Masked and clear, of writes, reads, history and sync, and of a key that is turned."""
    examples = Examples(caller, "covered")
    key = {"path": {"key": "password"}}
    examples.send("keys_declare_key", body={"key": "password", "type": "string", "secret": True})
    named = {"namespace": "payments", "key": "password"}
    sync = {"body": examples.body("sync_synchronize") | {"env": "covered", "have": None, "view": None}}
    asked = [
        ("writes_put_key", "admin", {**key, "body": {"value": "x"}, "query": {"dry_run": "true"}}),
        ("writes_put_key", "admin", {**key, "body": {"value": "x"}}),
        ("writes_put_key", "admin", {**key, "body": {"value": "y"}}),
        *(
            (name, role, key)
            for name in ("settings_get_key", "history_list_versions")
            for role in ("viewer", "service")
        ),
        *((name, role, {}) for name in ("settings_get_scope", "sync_watch") for role in ("viewer", "service")),
        *(("sync_synchronize", role, sync) for role in ("viewer", "service")),
        ("history_get_release", "viewer", {"path": {"revision": "3"}}),
        ("history_diff", "viewer", {"query": {"from": "3"}}),
        ("comparisons_compare", "admin", {}),
        ("comparisons_compare", "viewer", {}),
        ("writes_promote", "admin", {"path": {"env": "development"}, "body": {"from": "covered"}}),
        ("change_requests_open_request", "admin", {"body": {"changes": [{**named, "promote_from": "development"}]}}),
        ("keys_change_key", "admin", {**key, "body": {"secret": False}}),
        ("keys_change_key", "admin", {**key, "body": {"secret": True}}),
    ]
    for name, role, options in asked:
        answer = examples.send(name, role=role, **options)
        made = 201 if name == "change_requests_open_request" else 200
        assert (answer.status_code, CONTRACT.broken_by(name, answer)) == (made, []), name
