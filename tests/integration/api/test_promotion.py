"""Environments beside each other, and what is in one becomes what is in another; secrets stay unseen on their way."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from configsvc.service.access import Caller as Asking
from configsvc.service.comparisons import Comparisons, State
from configsvc.service.promotions import SOURCES_MAX
from configsvc.service.secrets import Secrets
from tests.integration.api.conftest import BREAK_GLASS, Caller

NAMESPACE = "/v1/namespaces/payments"
KEYS = f"{NAMESPACE}/keys"
COMPARE = f"{NAMESPACE}/compare"
PASSWORD = "correct horse battery staple"

Roles = Callable[[str | None], Caller]


def config(env: str, key: str = "") -> str:
    """The path of a scope's settings, or of one."""
    return f"{NAMESPACE}/envs/{env}/config" + (f"/{key}" if key else "")


def promote(caller: Caller, env: str, source: str, query: str = "", **body: Any) -> Any:
    """Promote, and return the response."""
    headers = body.pop("headers", {})
    return caller.post(f"{NAMESPACE}/envs/{env}/promote{query}", {"from": source, **body}, headers=headers)


def fill(ops: Caller, env: str, **values: object) -> None:
    """Give keys values in one release."""
    changes = [{"key": key, "value": value} for key, value in values.items()]
    answer = ops.patch(config(env), {"changes": changes, **BREAK_GLASS})
    assert answer.status_code == 200, answer.text


@pytest.fixture(autouse=True)
def declared(ops: Caller) -> None:
    """Two plain keys, and two that are secret."""
    for key, type_ in (("limit", "int"), ("url", "string")):
        assert ops.post(KEYS, {"key": key, "type": type_}).status_code == 201
    for key in ("password", "token"):
        assert ops.post(KEYS, {"key": key, "type": "string", "secret": True}).status_code == 201


@pytest.fixture
def service(caller: Roles) -> Caller:
    """A caller who reads secrets in bulk."""
    return caller("service")


@pytest.fixture
def developer(caller: Roles) -> Caller:
    """A caller who writes what is not protected, and sees secrets masked."""
    return caller("developer")


def values(reader: Caller, env: str) -> dict[str, object]:
    """What is set in a scope, as this reader sees it."""
    items: dict[str, Any] = reader.get(config(env)).json["values"]
    return {key: item.get("value") for key, item in items.items()}


def test_every_key_stands_beside_itself(ops: Caller) -> None:
    """Declared keys by name, each with version and value or nothing, and each environment with its cursor."""
    fill(ops, "staging", limit=100, url="same")
    fill(ops, "production", limit=120, url="same")
    answer = ops.get(f"{COMPARE}?envs=staging,production").json
    assert [item["env"] for item in answer["envs"]] == ["staging", "production"]
    assert answer["envs"][0]["cursor"] == ops.get(config("staging")).json["cursor"]
    assert answer["keys"] == [
        {
            "key": "limit",
            "type": "int",
            "secret": False,
            "same": False,
            "envs": {"staging": {"version": 1, "value": 100}, "production": {"version": 1, "value": 120}},
        },
        {
            "key": "password",
            "type": "string",
            "secret": True,
            "same": True,
            "envs": {"staging": None, "production": None},
        },
        {
            "key": "token",
            "type": "string",
            "secret": True,
            "same": True,
            "envs": {"staging": None, "production": None},
        },
        {
            "key": "url",
            "type": "string",
            "secret": False,
            "same": True,
            "envs": {"staging": {"version": 1, "value": "same"}, "production": {"version": 1, "value": "same"}},
        },
    ]
    three = ops.get(f"{COMPARE}?envs=staging,production,development").json
    assert {item["key"]: item["same"] for item in three["keys"]}["url"] is False, "unset in one of them"


def test_whether_secrets_are_the_same_is_told_to_those_who_may_write_all_of_them(
    ops: Caller, caller: Roles, limited: Callable[..., Caller]
) -> None:
    """Whoever may write only one side could try guesses there, so no word and no common fingerprint for them."""
    fill(ops, "staging", password=PASSWORD, token="a")
    fill(ops, "production", password=PASSWORD, token="b")
    fill(ops, "development", password=PASSWORD)

    def told(asking: Caller, envs: str) -> dict[str, object]:
        answer = asking.get(f"{COMPARE}?envs={envs}")
        assert PASSWORD not in answer.text
        for item in answer.json["keys"]:
            shown = [state["fingerprint"] for state in item["envs"].values() if state]
            assert len({*shown}) == len(shown), "fingerprints of two scopes have nothing in common"
        return {item["key"]: item["same"] for item in answer.json["keys"] if item["secret"]}

    assert told(ops, "staging,production") == {"password": True, "token": False}
    assert told(ops, "production,development") == {"password": True, "token": False}, "unset is seen by all"
    assert told(caller("developer"), "staging,development") == {"password": True, "token": False}
    for role in ("viewer", "service", "developer"):
        assert told(caller(role), "staging,production") == {"password": None, "token": None}, role
    assert told(limited("viewer"), "production,development") == {"password": None, "token": False}


def test_a_trial_tells_no_more_than_a_comparison(
    ops: Caller, admin: Caller, limited: Callable[..., Caller], service: Caller
) -> None:
    """Whoever may only propose sees a secret among what would change, whether it would be the same or not."""
    fill(ops, "staging", limit=1, password=PASSWORD, token="a")
    fill(ops, "production", limit=1, password=PASSWORD, token="b")
    mixed = limited("developer")
    grant = {"token_id": mixed.get("/v1/me").json["token_id"], "role": "ops", "envs": ["staging"]}
    assert admin.post("/v1/grants", grant).status_code == 201
    for asking, shown in ((mixed, ["password", "token"]), (ops, ["token"])):
        changes = promote(asking, "production", "staging", "?dry_run=true").json["changes"]
        assert [change["key"] for change in changes] == shown


@pytest.mark.parametrize("envs", ["", "staging", "staging,staging", "staging,", "a,b,c,d,e,f", "Staging,production"])
def test_what_can_not_be_compared_is_named(ops: Caller, envs: str) -> None:
    """Two to five environments, each once."""
    answer = ops.get(f"{COMPARE}?envs={envs}")
    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert "such as staging,production" in answer.json["detail"]


def test_an_environment_without_a_grant_looks_absent(ops: Caller, limited: Callable[..., Caller]) -> None:
    """In a comparison, as a source and as a target, in the same words."""
    fill(ops, "production", limit=1)
    narrow = limited("ops", "payments", ["staging"])
    for ask in (
        lambda env: narrow.get(f"{COMPARE}?envs=staging,{env}", headers={"X-Request-Id": "same"}),
        lambda env: promote(narrow, "staging", env, headers={"X-Request-Id": "same"}),
        lambda env: promote(narrow, env, "staging", headers={"X-Request-Id": "same"}),
        lambda env: narrow.post(
            "/v1/envs/staging/requests",
            {"changes": [{"namespace": "payments", "key": "limit", "promote_from": env}]},
            headers={"X-Request-Id": "same"},
        ),
    ):
        hidden, absent = ask("production"), ask("no-such-en")
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace("production", "no-such-en") == absent.text


def test_a_scope_becomes_like_another_in_one_release(ops: Caller, service: Caller) -> None:
    """What differs is written, what is the same is not, what only the target has stays; the note says from where."""
    fill(ops, "staging", limit=100, url="x", password=PASSWORD, token="same")
    fill(ops, "development", limit=50, url="x", token="same")
    answer = promote(ops, "development", "staging", note="try it")
    assert answer.status_code == 200, answer.text
    assert [(change["key"], change["version"]) for change in answer.json["changes"]] == [("limit", 2), ("password", 1)]
    assert values(service, "development") == {"limit": 100, "url": "x", "password": PASSWORD, "token": "same"}
    release = ops.get(f"/v1/envs/development/releases/{answer.json['revision']}").json
    assert (release["kind"], release["note"]) == ("promote", "from staging at revision 1: try it")
    again = promote(ops, "development", "staging").json
    assert (again["changed"], again["revision"]) == (False, answer.json["revision"])


def test_some_keys_and_pruning(ops: Caller) -> None:
    """Only the named keys; with ``prune`` what has no value in the source has none in the target."""
    fill(ops, "staging", limit=1)
    fill(ops, "development", limit=2, url="x", password=PASSWORD)
    slip = promote(ops, "development", "staging", keys=["limit", "url"])
    assert (slip.status_code, slip.json["errors"][0]["field"]) == (422, "keys[1]")
    assert promote(ops, "development", "staging", keys=["url"], prune=True).json["changes"] == [
        {"namespace": "payments", "key": "url", "version": 2, "type": "string", "deleted": True}
    ]
    assert values(ops, "development") == {"limit": 2, "password": None}
    promote(ops, "development", "staging", prune=True)
    assert values(ops, "development") == {"limit": 1}
    same = promote(ops, "staging", "staging")
    assert (same.status_code, same.json["errors"][0]["field"]) == (422, "from")


def test_no_secret_shows_on_its_way(
    ops: Caller, admin: Caller, service: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the answer of a promotion, its trial or its repeat, in requests, history or the audit trail, or a log."""
    caplog.set_level("DEBUG")
    fill(ops, "staging", password=PASSWORD)
    once = {"headers": {"Idempotency-Key": "1"}}
    change = {"namespace": "payments", "key": "password", "promote_from": "staging"}
    answers = [
        promote(ops, "development", "staging", "?dry_run=true"),
        promote(ops, "development", "staging", **once),
        promote(ops, "development", "staging", **once),
        ops.post("/v1/envs/production/requests", {"changes": [change]}),
        ops.get(f"{COMPARE}?envs=staging,development"),
        ops.get("/v1/envs/development/releases"),
        ops.get("/v1/envs/development/releases/1"),
        ops.get(f"{config('development', 'password')}/versions"),
        admin.get("/v1/audit"),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 201, *[200] * 5]
    assert answers[2].headers["Idempotent-Replayed"] == "true"
    assert values(service, "development") == {"password": PASSWORD}
    assert "fingerprint" not in json.dumps(answers[0].json["changes"] + answers[3].json["changes"])
    for text in (*[answer.text for answer in answers], caplog.text):
        assert PASSWORD not in text


def test_moving_a_secret_takes_the_right_to_reveal_it(
    ops: Caller, service: Caller, developer: Caller, limited: Callable[..., Caller]
) -> None:
    """Who sees it masked could else have it promoted to where they read it. Nothing of it happens; plain keys go."""
    fill(ops, "production", limit=1, password=PASSWORD)
    fill(ops, "staging", limit=2, token="t")
    for source in ("production", "staging"):
        for query in ("", "?dry_run=true"):
            refused = promote(developer, "development", source, query)
            assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
            assert "leave out" in refused.json["detail"]
        change = {"namespace": "payments", "key": "password" if source == "production" else "token"}
        proposed = developer.post("/v1/envs/development/requests", {"changes": [change | {"promote_from": source}]})
        assert proposed.status_code == 403
    assert values(service, "development") == {}
    assert promote(developer, "development", "production", keys=["limit"]).status_code == 200
    assert values(service, "development") == {"limit": 1}
    mixed = limited("ops", "payments", ["development"])
    assert promote(mixed, "development", "production").status_code == 404, "rights in the target alone are none"


def test_leaving_secrets_are_recorded_where_they_were(ops: Caller, admin: Caller) -> None:
    """Which ones, by whom and to where, also those of a proposal; a trial and a refusal move nothing."""
    fill(ops, "staging", limit=1, password=PASSWORD)
    promote(ops, "development", "staging", "?dry_run=true")
    assert promote(ops, "production", "staging").status_code == 409
    assert admin.get("/v1/audit?action=secret.promote").json["items"] == []
    promote(ops, "development", "staging")
    change = {"namespace": "payments", "key": "password", "promote_from": "staging"}
    ops.post("/v1/envs/production/requests", {"changes": [change]})
    events = admin.get("/v1/audit?env=staging&namespace=payments&key=password&action=secret").json["items"]
    assert [(event["actor"], event["details"]) for event in events] == [
        ("ops", {"keys": ["password"], "revision": 1, "to": env}) for env in ("production", "development")
    ]


def test_a_protected_environment_asks_for_a_review(ops: Caller, admin: Caller, service: Caller) -> None:
    """A promotion is refused before anything is opened; proposed, approved and applied it moves the secret unseen."""
    fill(ops, "staging", limit=7, password=PASSWORD)
    refused = promote(ops, "production", "staging")
    assert (refused.status_code, refused.json["code"]) == (409, "review_required")
    preview = promote(ops, "production", "staging", "?dry_run=true").json
    assert preview["review_required"]
    changes = [
        {"namespace": change["namespace"], "key": change["key"], "promote_from": "staging", "revision": 1}
        for change in preview["changes"]
    ]
    fill(ops, "staging", limit=8, password="another one")
    request = ops.post("/v1/envs/production/requests", {"changes": changes, "note": "rollout"})
    assert request.status_code == 201, request.text
    assert [(item["key"], item.get("value")) for item in request.json["changes"]] == [("limit", 7), ("password", None)]
    path = f"/v1/requests/{request.json['id']}"
    again = ops.patch(path, {}).json
    for shown in (request.json, again, admin.get(path).json):
        assert [item["promoted_from"] for item in shown["changes"]] == [{"env": "staging", "revision": 1}] * 2
    approval = {"decision": "approve", "digest": again["digest"]}
    assert admin.post(f"{path}/reviews", approval).status_code == 200
    assert admin.post(f"{path}/apply", {}).status_code == 200
    assert values(service, "production") == {"limit": 7, "password": PASSWORD}, "what was approved, whatever is new"
    glass = promote(ops, "production", "staging", **BREAK_GLASS)
    assert glass.status_code == 200
    assert values(service, "production") == {"limit": 8, "password": "another one"}


def test_an_approval_is_of_where_a_value_is_from(ops: Caller) -> None:
    """The same value, typed, promoted, and promoted from another revision, are three things to approve."""
    fill(ops, "staging", limit=7)
    fill(ops, "staging", limit=8)
    fill(ops, "staging", limit=7)
    change = {"namespace": "payments", "key": "limit"}
    digests = {
        ops.post("/v1/envs/production/requests", {"changes": [change | wish]}).json["digest"]
        for wish in ({"value": 7}, {"promote_from": "staging"}, {"promote_from": "staging", "revision": 1})
    }
    assert len(digests) == 3


def test_a_request_is_edited_to_promote(ops: Caller, admin: Caller, service: Caller) -> None:
    """An edit takes the value of now, and only its author has it taken."""
    fill(ops, "staging", password=PASSWORD)
    change = {"namespace": "payments", "key": "password"}
    request = ops.post("/v1/envs/production/requests", {"changes": [change | {"value": "guess"}]}).json
    path = f"/v1/requests/{request['id']}"
    edit = {"changes": [change | {"promote_from": "staging"}]}
    assert admin.patch(path, edit).status_code == 403
    assert len(admin.get("/v1/audit?action=secret.promote").json["items"]) == 0
    assert ops.patch(path, edit).status_code == 200
    admin.post(f"{path}/reviews", {"decision": "approve"})
    admin.post(f"{path}/apply", {})
    assert values(service, "production") == {"password": PASSWORD}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "url", "promote_from": "staging"}, "changes[0].promote_from"),
        ({"key": "limit", "promote_from": "production"}, "changes[0].promote_from"),
        ({"key": "limit", "promote_from": "staging", "value": 1}, "changes[0]"),
        ({"key": "limit", "value": 1, "revision": 1}, "changes[0]"),
    ],
)
def test_a_proposal_says_what_is_wrong_with_it(ops: Caller, change: dict[str, object], field: str) -> None:
    """No value there, the environment itself, two wishes in one."""
    fill(ops, "staging", limit=1)
    answer = ops.post("/v1/envs/production/requests", {"changes": [{"namespace": "payments", **change}]})
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)


def test_what_was_shown_is_what_is_written(ops: Caller, service: Caller) -> None:
    """``revision`` names the source's state of a trial: what changed there since does not come along."""
    fill(ops, "staging", limit=1, password=PASSWORD)
    shown = ops.get(f"{COMPARE}?envs=staging,development").json["envs"][0]["revision"]
    fill(ops, "staging", limit=2, password="another one", url="new")
    promote(ops, "development", "staging", revision=shown)
    assert values(service, "development") == {"limit": 1, "password": PASSWORD}
    assert promote(ops, "development", "staging", revision=99).status_code == 404


def test_conditions_hold_for_promotions(ops: Caller) -> None:
    """If-Match of the target, also where there is nothing to do."""
    fill(ops, "staging", limit=1)
    etag = ops.get(config("development")).headers["ETag"]
    fill(ops, "development", limit=2)
    assert promote(ops, "development", "staging", headers={"If-Match": etag}).status_code == 412
    etag = ops.get(config("development")).headers["ETag"]
    assert promote(ops, "development", "staging", headers={"If-Match": etag}).status_code == 200
    assert promote(ops, "development", "staging", headers={"If-Match": etag}).status_code == 412


@pytest.mark.parametrize("moved", ["development", "staging"])
def test_a_release_between_plan_and_commit(
    ops: Caller, service: Caller, monkeypatch: pytest.MonkeyPatch, moved: str
) -> None:
    """One of the target has the promotion planned again; one of the source comes after it, as the note says."""
    fill(ops, "staging", limit=1, url="same")
    fill(ops, "development", limit=2, url="same")
    once = iter([lambda: fill(ops, moved, limit=3, url="other")])
    original = Comparisons.state

    def late(self: Comparisons, caller: Asking, namespace: str, env: str, revision: int | None = None) -> State:
        found = original(self, caller, namespace, env, revision)
        if env == "development" and (release := next(once, None)):
            release()
        return found

    monkeypatch.setattr(Comparisons, "state", late)
    answer = promote(ops, "development", "staging").json
    assert values(service, "development") == {"limit": 1, "url": "same"}
    release = ops.get(f"/v1/envs/development/releases/{answer['revision']}").json
    assert release["note"] == "from staging at revision 1"


def test_a_secret_stays_one_where_its_key_is_plain_by_now(ops: Caller, service: Caller) -> None:
    """Promoting an old version uncovers it no more than going back to it does."""
    fill(ops, "staging", password=PASSWORD)
    fill(ops, "staging", password="harmless")
    assert ops.patch(f"{KEYS}/password", {"secret": False}).status_code == 200
    for query in ("?dry_run=true", ""):
        answer = promote(ops, "development", "staging", query, revision=1)
        assert answer.status_code == 200
        assert PASSWORD not in answer.text
    assert values(ops, "development") == {"password": None}
    assert values(service, "development") == {"password": PASSWORD}


def test_a_schema_of_today_holds_for_promotions(ops: Caller) -> None:
    """What is promoted is checked as what is set."""
    fill(ops, "staging", limit=500)
    fill(ops, "staging", limit=1)
    assert ops.patch(f"{KEYS}/limit", {"schema": {"maximum": 100}}).status_code == 200
    answer = promote(ops, "development", "staging", revision=1)
    assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "payments/limit.value")


def test_comparing_without_the_right_opens_nothing(
    ops: Caller, caller: Roles, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does a promotion of plain keys beside secrets."""
    fill(ops, "staging", limit=1, password=PASSWORD)
    fill(ops, "production", limit=2, password=PASSWORD)
    opened: list[object] = []
    original = Secrets.open
    monkeypatch.setattr(Secrets, "open", lambda self, places: opened.extend(places) or original(self, places))
    assert caller("viewer").get(f"{COMPARE}?envs=staging,production").status_code == 200
    assert promote(caller("developer"), "development", "staging", keys=["limit"]).status_code == 200
    assert opened == []
    assert ops.get(f"{COMPARE}?envs=staging,production").status_code == 200
    assert len(opened) == 2


def test_one_request_reads_only_so_many_scopes_and_revisions(ops: Caller, developer: Caller) -> None:
    """Each is read whole: thousands in one body would keep a worker for minutes. One revision of many keys passes."""
    made = ops.patch(KEYS, {"keys": [{"key": f"k{number}", "type": "int"} for number in range(SOURCES_MAX + 1)]})
    assert made.status_code == 200
    fill(ops, "staging", **{f"k{number}": number for number in range(SOURCES_MAX + 1)})
    changes = [
        {"namespace": "payments", "key": f"k{number}", "promote_from": "staging", "revision": 1 + number}
        for number in range(SOURCES_MAX + 1)
    ]
    refused = developer.post("/v1/envs/development/requests", {"changes": changes})
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "changes")
    same = [{**change, "revision": 1} for change in changes]
    assert developer.post("/v1/envs/development/requests", {"changes": same}).status_code == 201
