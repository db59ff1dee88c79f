"""schemathesis makes requests out of /openapi.json, good and bad, and sends them to the real service as every role.

It looks for answers of 500, for statuses, headers and bodies that the document doesn't know, and for input that it
forbids and the service takes.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis.errors import HypothesisWarning
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from configsvc.service.samples import ROLES
from tests.integration.api.conftest import Caller

#: Checks that say nothing here.
SKIPPED = {
    # Good input is refused where it meets a state: a stale If-Match, a value of another type, a full scope.
    "positive_data_acceptance": {"enabled": False},
    # Asks for an application that listens; test_tokens.py asks every route without a token.
    "ignored_auth": {"enabled": False},
}
#: For others than admins, and for admins: a token's id is not guessed, a request is not its author's to approve, and no
#: example is a secret.
OUT_OF_REACH: Mapping[bool, set[str]] = {
    False: {"GET /v1/tokens", "GET /v1/grants"},
    True: {"DELETE /v1/tokens/{token_id}", "POST /v1/grants", "PATCH /v1/requests/{request_id}"}
    | {"POST /v1/namespaces/{namespace}/envs/{env}/config/{key}/reveal"}
    | {f"POST /v1/requests/{{request_id}}/{step}" for step in ("apply", "withdraw")},
}


def config(token: str, examples: int, *, stateful: bool = False) -> SchemathesisConfig:
    """The same requests in every run: so many random ones for each operation, beside those at each bound."""
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {token}"},
            "checks": SKIPPED,
            "generation": {"max-examples": examples, "deterministic": True, "database": "none", "no-shrink": True},
            "parameters": {"query.timeout": 0, "query.wait": 0},  # nothing is held
            "phases": {"stateful": {"enabled": stateful}},
        }
    )


@pytest.fixture(autouse=True)
def settled(caller: Callable[[str | None], Caller]) -> None:
    """What the examples of the document are about: keys that have values, and had others."""
    for key in ("rate_limit", "old_limit"):
        for value in (100, 120):
            path = f"/v1/namespaces/payments/envs/staging/config/{key}"
            assert caller("admin").put(path, {"value": value, "type": "int"}).status_code == 200
    path = "/v1/namespaces/payments/envs/development/config/rate_limit"
    assert caller("admin").put(path, {"value": 110}).status_code == 200
    change = {"namespace": "payments", "key": "rate_limit", "value": 7}
    assert caller("ops").post("/v1/envs/staging/requests", {"changes": [change]}).json["id"] == 1
    # One that may be taken back by accident: the numbers that are tried begin at 0.
    for token in caller("admin").get("/v1/tokens").json["items"]:
        if token["name"] == "admin":
            assert caller("admin").post("/v1/grants", {"token_id": token["id"], "role": "admin"}).status_code == 201


class Findings:
    """What schemathesis reports, and which operations it has brought to a success."""

    def __init__(self, app: Flask, config: SchemathesisConfig) -> None:
        self.found: list[str] = []
        self.succeeded: set[str] = set()
        schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config)
        self.operations = {operation.ok().label for operation in schema.get_all_operations()}
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                self._take(event)
            elif isinstance(event, events.NonFatalError) and isinstance(event.value, HypothesisWarning):
                continue  # the tool's own advice, about how it prints long examples
            elif isinstance(event, events.NonFatalError | events.FatalError):
                self.found.append(repr(event))

    def _take(self, event: events.ScenarioFinished) -> None:
        self.found += _failures(event.recorder)
        for case in event.recorder.cases.values():
            interaction = event.recorder.interactions.get(case.value.id)
            if interaction and interaction.response and interaction.response.status_code < 300:
                self.succeeded.add(f"{interaction.request.method} {case.value.operation.path}")


def _failures(recorder: Any) -> Iterator[str]:
    for checks in recorder.checks.values():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                if "Received: 405" in failure.message:
                    continue  # an empty name in the middle of an address makes it another one's
                yield f"{check.name}: {failure.operation}: {failure.message}\n{check.failure_info.code_sample}"


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_no_role_meets_what_is_not_documented(app: Flask, role_tokens: Mapping[str, str], role: str) -> None:
    """Each bound of each parameter and member, and a few random requests; and all of it is more than refusals."""
    findings = Findings(app, config(role_tokens[role], examples=2))
    assert findings.found == []
    reached = {operation for operation in findings.operations if operation.startswith("GET") or role == "admin"}
    reached -= OUT_OF_REACH[role == "admin"]
    assert reached - findings.succeeded == set()


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", ROLES)
def test_many_requests_meet_nothing_else(app: Flask, role_tokens: Mapping[str, str], role: str) -> None:
    """Some fifty random requests for each operation, and sequences in which one uses what another has made."""
    assert Findings(app, config(role_tokens[role], examples=50, stateful=True)).found == []
