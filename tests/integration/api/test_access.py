"""The access table of docs/access.md, read from there and tried over HTTP."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.integration.api.conftest import Caller, rules

TABLE = Path(__file__).parents[3] / "docs" / "access.md"
SCOPE = "/v1/namespaces/{ns}/envs/{env}"
ENVS = {"open": ["staging"], "protected": ["production"], "any": ["staging", "production"], "": ["staging"]}
ROLES = ("viewer", "service", "developer", "ops", "admin")
COLUMNS = ("no token", "no grant here", *ROLES)

#: A good body for each call that takes one; "{…}" is filled in as in the path.
BODIES: dict[str, Any] = {
    "POST /v1/namespaces": {"name": "{fresh}"},
    "POST /v1/envs": {"name": "{fresh}"},
    "PATCH /v1/envs/{env}": {"description": "changed"},
    "POST /v1/namespaces/{ns}/keys": {"key": "{fresh}", "type": "int"},
    "PATCH /v1/namespaces/{ns}/keys": {"keys": [{"key": "{fresh}", "type": "int"}]},
    "PATCH /v1/namespaces/{ns}/keys/{key}": {"description": "changed"},
    "POST /v1/sync": {"client": {"id": "1", "service": "test"}, "env": "{env}", "namespaces": ["{ns}"]},
    "PUT S/config/{key}": {"value": 2},
    "PATCH S/config": {"changes": [{"key": "{key}", "value": 2}]},
    "POST S/config/{key}/rollback": {"version": 1},
    "POST S/config/{key}/reveal": {"reason": "a test"},
    "POST S/restore": {"revision": 0},
    "POST S/promote": {"from": "development"},
    "POST /v1/envs/{env}/releases": {"changes": [{"namespace": "{ns}", "key": "{key}", "value": 2}]},
    "POST /v1/envs/{env}/requests": {"changes": [{"namespace": "{ns}", "key": "{key}", "value": 2}]},
    "PATCH /v1/requests/{request_id}": {"note": "changed"},
    "POST /v1/requests/{request_id}/reviews": {"decision": "approve"},
    "POST /v1/tokens": {"name": "{fresh}"},
    "POST /v1/grants": {"token_id": "{token_id}", "role": "viewer"},
}
QUERIES = {
    "GET S/diff": "?from=0",
    "GET /v1/namespaces/{ns}/compare": "?envs=development,{env}",
    "GET S/watch": "?timeout=0",
    "GET S/stream": "?timeout=0",
}


def _rows() -> list[tuple[str, str, dict[str, str]]]:
    """Call, kind of environment, and the decision for each column."""
    rows = []
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            rows.append((cells[0].strip("`"), cells[1], dict(zip(COLUMNS, cells[2:], strict=True))))
    return rows


def _request(call: str, names: dict[str, str]) -> tuple[str, str, object]:
    """Method, path and body of a call about these names."""

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: filled(item) for name, item in part.items()}
        if isinstance(part, list):
            return [filled(item) for item in part]
        return part.format_map(names) if isinstance(part, str) else part

    method, _, path = call.partition(" ")
    path = re.sub("^S/", f"{SCOPE}/", path) + QUERIES.get(call, "")
    return method, path.format_map(names), filled(BODIES.get(call))


def test_every_route_is_in_the_table(app: Flask) -> None:
    """The table and the service name the same calls: a route that nobody thought about fails here."""
    served = {
        f"{method} {rule.rule.replace('<namespace>', '{ns}').replace('<', '{').replace('>', '}')}"
        for rule in rules(app)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert {re.sub(" S/", f" {SCOPE}/", call) for call, _, _ in _rows()} == served


def test_environments_of_a_call_are_all_in_the_table() -> None:
    """A call that depends on protection has a row for both kinds, and none has two for one."""
    kinds: dict[str, list[str]] = {}
    for call, kind, _ in _rows():
        kinds.setdefault(call, []).append(kind)
    assert {tuple(sorted(found)) for found in kinds.values()} <= {("",), ("any",), ("open", "protected")}


@pytest.fixture
def author(limited: Callable[..., Caller]) -> Caller:
    """Somebody who proposes, and is in no column of the table."""
    return limited("developer")


@pytest.fixture
def column(caller: Callable[[str | None], Caller], limited: Callable[..., Caller]) -> dict[str, Caller]:
    """A caller for each column of the table."""
    elsewhere = limited("admin", "search", ["development"])
    return {"no token": caller(None), "no grant here": elsewhere} | {role: caller(role) for role in ROLES}


def test_the_table_is_what_the_service_does(
    admin: Caller, author: Caller, column: dict[str, Caller], limited: Callable[..., Caller]
) -> None:
    """Every call as every role, in both kinds of environment, is decided as written; what is refused writes nothing."""
    counter = itertools.count()
    approver = limited("ops")
    wrong = []
    for call, kind, decisions in _rows():
        for env, (who, decision) in itertools.product(ENVS[kind], decisions.items()):
            names = _place(
                admin,
                env,
                f"n{next(counter)}",
                unset=call.startswith("DELETE /v1/namespaces/"),
                secret="/reveal" in call,
            )
            if "_id}" in call or call == "POST /v1/grants":
                own = call.startswith("PATCH") or call.endswith("/withdraw")
                proposing = column[who] if own and decision == "yes" else author
                names |= _numbers(admin, proposing, approver if call.endswith("/apply") else None, names)
            before = admin.get("/v1/envs").json
            answer = column[who].send(*_request(call, names))
            got = "yes" if answer.status_code < 400 else str(answer.status_code)
            if got != decision:
                wrong.append(f"{call} in {env} as {who}: {got} instead of {decision}: {answer.text}")
            if got != "yes" and admin.get("/v1/envs").json != before:
                wrong.append(f"{call} in {env} as {who}: refused, and has written")
    assert wrong == []


def _place(admin: Caller, env: str, name: str, *, unset: bool, secret: bool = False) -> dict[str, str]:
    """Make a key with one value, so that every call has something to do; return the names of all."""
    admin.post("/v1/namespaces/payments/keys", {"key": name, "type": "int", "secret": secret})
    path = f"/v1/namespaces/payments/envs/{env}/config/{name}"
    glass = {"break_glass": {"reason": "a test"}}
    release = admin.put(path, {"value": 1, "type": "int", **glass}).json
    if unset:
        admin.delete(path, glass)
    return {"ns": "payments", "env": env, "key": name, "fresh": f"{name}-new", "revision": str(release["revision"])}


def _numbers(admin: Caller, author: Caller, approver: Caller | None, names: dict[str, str]) -> dict[str, str]:
    """Make what calls name by its number: a token with a grant, and a request, approved by ``approver`` if given."""
    token = admin.post("/v1/tokens", {"name": f"{names['key']}-bot"}).json
    grant = admin.post("/v1/grants", {"token_id": token["id"], "role": "viewer"}).json
    changes = [{"namespace": names["ns"], "key": names["key"], "value": 3}]
    request = author.post(f"/v1/envs/{names['env']}/requests", {"changes": changes}).json
    if approver is not None:
        assert approver.post(f"/v1/requests/{request['id']}/reviews", {"decision": "approve"}).status_code == 200
    return {"token_id": token["id"], "grant_id": str(grant["id"]), "request_id": str(request["id"])}


def test_hidden_looks_like_absent(admin: Caller, author: Caller, limited: Callable[..., Caller]) -> None:
    """Without a grant, what is there and what is not there are told in the same words."""
    stranger = limited("admin", "search", ["development"])
    there = _place(admin, "production", "secret-plan", unset=False)
    there |= _numbers(admin, author, None, there)
    absent = {"ns": "nobodys1", "env": "no-such-en", "key": "no-such-key", "fresh": "x", "revision": "1"}
    absent |= {"token_id": "none", "grant_id": "9999998", "request_id": "9999999"}
    for call, _, decisions in _rows():
        if decisions["no grant here"] != "404":
            continue
        for hidden in (
            there,
            there | {"key": absent["key"]},
            there | {"env": absent["env"]},
            there | {"ns": absent["ns"]},
            there | {"request_id": absent["request_id"]},
        ):
            told = [_told(stranger, call, names) for names in (hidden, absent)]
            assert told[0] == told[1], call


def _told(caller: Caller, call: str, names: dict[str, str]) -> tuple[int, str]:
    answer = caller.send(*_request(call, names), headers={"X-Request-Id": "same"})
    text = answer.text
    for part in ("ns", "env", "key", "request_id"):
        text = re.sub(rf"(?<![\w-]){names[part]}(?![\w-])", f"<{part}>", text)
    return answer.status_code, text


def test_lists_show_what_is_granted(admin: Caller, limited: Callable[..., Caller]) -> None:
    """Namespaces by pattern, environments by name; a release shows the namespaces that the caller may read."""
    admin.post("/v1/namespaces", {"name": "pay-later"})
    for namespace in ("payments", "search"):
        admin.post(f"/v1/namespaces/{namespace}/keys", {"key": "a", "type": "int"})
    changes = [{"namespace": name, "key": "a", "value": 1} for name in ("payments", "search")]
    admin.post("/v1/envs/staging/releases", {"changes": changes})
    narrow = limited("viewer", "pay*", ["staging"])
    assert {item["name"] for item in narrow.get("/v1/namespaces").json["items"]} == {"payments", "pay-later"}
    assert [item["name"] for item in narrow.get("/v1/envs").json["items"]] == ["staging"]
    assert [item["namespaces"] for item in narrow.get("/v1/envs/staging/releases").json["items"]] == [["payments"]]
    release = narrow.get("/v1/envs/staging/releases/1").json
    assert release["namespaces"] == ["payments"]
    assert [change["namespace"] for change in release["changes"]] == ["payments"]


def test_administration_takes_a_grant_on_everything(limited: Callable[..., Caller]) -> None:
    """An admin of some namespaces or environments writes there, and makes no new ones."""
    for partial in (limited("admin", "pay*"), limited("admin", "*", ["staging"])):
        assert partial.post("/v1/namespaces", {"name": "pay-more"}).status_code == 403
        assert partial.patch("/v1/envs/staging", {"description": "x"}).status_code == 403
        path = "/v1/namespaces/payments/envs/staging/config/a"
        assert partial.put(path, {"value": 1, "type": "int"}).status_code == 200


def test_roles_add_up(admin: Caller, limited: Callable[..., Caller]) -> None:
    """Declaring asks for a grant in the namespace, writing for one in this very environment."""
    narrow = limited("developer", "payments", ["development"])
    body = {"value": 1, "type": "int"}
    assert narrow.put("/v1/namespaces/payments/envs/development/config/a", body).status_code == 200
    assert narrow.put("/v1/namespaces/payments/envs/staging/config/a", body).status_code == 404
    assert narrow.put("/v1/namespaces/search/envs/development/config/a", body).status_code == 404
    assert admin.get("/v1/namespaces/search/keys").json["items"] == []
