"""Change requests over HTTP: proposed by one, approved by another, applied as one release."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from configsvc.errors import NotApproved
from configsvc.store import catalog
from configsvc.store.audit import Origin
from configsvc.store.change_requests import lock_environment
from configsvc.store.database import Database
from configsvc.store.releases import Commit, Committed, Leave, commit
from tests.integration.api.conftest import BREAK_GLASS, Caller
from tests.integration.api.test_plans import at_once

PRODUCTION = "/v1/namespaces/payments/envs/production/config"
REQUESTS = "/v1/envs/production/requests"


@pytest.fixture
def developer(caller: Callable[[str | None], Caller]) -> Caller:
    """Somebody who may propose, and not write production."""
    return caller("developer")


@pytest.fixture(autouse=True)
def live(ops: Caller) -> None:
    """Two limits, live in production since release 1."""
    for key in ("rate_limit", "burst"):
        ops.post("/v1/namespaces/payments/keys", {"key": key, "type": "int"})
    changes = [{"key": "rate_limit", "value": 100}, {"key": "burst", "value": 5}]
    assert ops.patch(PRODUCTION, {"changes": changes, **BREAK_GLASS}).status_code == 200


def wait_until_locked(database: Database) -> None:
    """Wait until somebody waits for a lock."""
    deadline = time.monotonic() + 10
    while not database.all(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'", {}
    ):
        assert time.monotonic() < deadline


def values(caller: Caller) -> dict[str, Any]:
    """What production shows."""
    return {key: setting["value"] for key, setting in caller.get(PRODUCTION).json["values"].items()}


def propose(caller: Caller, note: str = "", **wanted: Any) -> dict[str, Any]:
    """Propose values by key."""
    changes = [{"namespace": "payments", "key": key, "value": value} for key, value in wanted.items()]
    answer = caller.post(REQUESTS, {"changes": changes, "note": note})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"/v1/requests/{answer.json['id']}"
    document: dict[str, Any] = answer.json
    return document


def step(caller: Caller, request: dict[str, Any], name: str, body: object = None) -> Any:
    """Take a step with a request; return the answer."""
    return caller.post(f"/v1/requests/{request['id']}/{name}", body if body is not None else {})


def approve(caller: Caller, request: dict[str, Any], **more: Any) -> Any:
    """Approve a request; return the answer."""
    return step(caller, request, "reviews", {"decision": "approve", **more})


def look(caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
    """Read a request again."""
    document: dict[str, Any] = caller.get(f"/v1/requests/{request['id']}").json
    return document


def actions(caller: Caller, **wanted: str) -> list[str]:
    """What the audit trail has, oldest first."""
    items = caller.get("/v1/audit", query_string={"limit": "500", **wanted}).json["items"]
    return [item["action"] for item in reversed(items)]


def test_a_direct_write_says_how_to_propose(ops: Caller, developer: Caller) -> None:
    """A developer is refused, ops are told that a review is due, and both where; nothing is written."""
    for caller, status, code in ((developer, 403, "forbidden"), (ops, 409, "review_required")):
        answer = caller.put(f"{PRODUCTION}/rate_limit", {"value": 200})
        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert answer.json["request_url"] == REQUESTS
        assert REQUESTS in answer.json["detail"]
    assert values(ops)["rate_limit"] == 100


def test_proposed_by_one_approved_by_another_applied_as_one_release(ops: Caller, developer: Caller) -> None:
    """The reviewer sees what changes against what is live, the author applies, and history names all of them."""
    request = propose(developer, "Black Friday", rate_limit=200, burst=9)
    assert (request["status"], request["author"], request["approvals"]) == (
        "open",
        "developer",
        {"needed": 1, "by": []},
    )
    assert [(each["key"], each["from"], each["to"]) for each in request["diff"]] == [
        ("burst", {"version": 1, "value": 5}, {"version": 2, "value": 9}),
        ("rate_limit", {"version": 1, "value": 100}, {"version": 2, "value": 200}),
    ]
    assert request["may"] == ["comment", "edit", "withdraw"]
    assert look(ops, request)["may"] == ["approve", "reject", "comment"]
    assert step(developer, request, "apply").status_code == 409
    assert values(ops) == {"rate_limit": 100, "burst": 5}
    assert approve(ops, request, comment="fine").json["status"] == "approved"
    applied = step(developer, request, "apply")
    assert (applied.status_code, applied.json["revision"], applied.json["changed"]) == (200, 2, True)
    assert values(ops) == {"rate_limit": 200, "burst": 9}
    release = ops.get("/v1/envs/production/releases/2").json
    assert (release["kind"], release["note"], release["changed_by"]) == ("request", "Black Friday", "developer")
    assert release["review"] == {"request": request["id"], "author": "developer", "approved_by": ["ops"]}
    done = look(developer, request)
    assert (done["status"], done["revision"], done["diff"], done["may"]) == ("applied", 2, [], ["comment"])
    assert actions(ops, env="production", action="request") == ["request.open", "request.approve", "request.apply"]


def test_nobody_approves_their_own(ops: Caller, admin: Caller, app: Any) -> None:
    """Neither by the token that proposed, nor by one that it minted, nor by two that it minted for itself."""
    request = propose(admin, rate_limit=200)
    assert approve(admin, request).status_code == 403
    minted = [
        Caller(app, admin.post("/v1/tokens", {"name": f"me-{number}", "grants": [{"role": "ops"}]}).json["token"])
        for number in range(2)
    ]
    assert approve(minted[0], request).status_code == 403
    assert "counts as admin" in approve(minted[0], request).json["detail"]
    other = propose(minted[0], burst=7)
    assert approve(minted[1], other).status_code == 403
    assert [look(ops, each)["status"] for each in (request, other)] == ["open", "open"]
    assert approve(ops, request).json["status"] == "approved"


def test_an_edit_needs_approval_again(ops: Caller, developer: Caller) -> None:
    """What was approved is not what is there now; a review of what is not there any more is refused."""
    request = propose(developer, rate_limit=200)
    seen = request["digest"]
    assert approve(ops, request, digest=seen).json["status"] == "approved"
    changes = [{"namespace": "payments", "key": "rate_limit", "value": 9000}]
    edited = developer.patch(f"/v1/requests/{request['id']}", {"changes": changes}).json
    assert (edited["status"], edited["edition"], edited["approvals"]["by"]) == ("open", 2, [])
    assert step(developer, request, "apply").status_code == 409
    stale = approve(ops, request, digest=seen)
    assert (stale.status_code, stale.json["code"]) == (412, "revision_mismatch")
    assert look(ops, request)["status"] == "open"
    assert approve(ops, request, digest=edited["digest"]).json["status"] == "approved"
    assert step(developer, request, "apply").status_code == 200
    assert values(ops)["rate_limit"] == 9000


def test_a_release_of_the_same_key_voids_and_says_so(ops: Caller, developer: Caller) -> None:
    """Other releases don't. The author proposes again by an edit without changes, on what is there now."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    ops.put(f"{PRODUCTION}/burst", {"value": 6, **BREAK_GLASS})
    assert look(ops, request)["status"] == "approved"
    revision = ops.put(f"{PRODUCTION}/rate_limit", {"value": 150, **BREAK_GLASS}).json["revision"]
    void = look(ops, request)
    assert (void["status"], void["void_reason"]) == ("void", f"release {revision} by ops changed payments/rate_limit")
    refused = step(developer, request, "apply")
    assert (refused.status_code, refused.json["request_status"]) == (409, "void")
    assert void["void_reason"] in refused.json["detail"]
    assert "request.void" in actions(ops, env="production")
    again = developer.patch(f"/v1/requests/{request['id']}", {}).json
    assert (again["status"], again["void_reason"], again["base_revision"]) == ("open", None, revision)
    assert again["diff"][0]["from"]["value"] == 150
    assert approve(ops, request).json["status"] == "approved"


def test_a_value_put_back_still_voids(ops: Caller, developer: Caller) -> None:
    """What was approved replaced version 1; that version 3 looks like it is for people to judge."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    for value in (1, 100):
        ops.put(f"{PRODUCTION}/rate_limit", {"value": value, **BREAK_GLASS})
    assert look(ops, request)["status"] == "void"


def test_as_many_approvals_as_the_environment_asks_for(
    ops: Caller, admin: Caller, developer: Caller, limited: Callable[..., Caller]
) -> None:
    """Counted by people; raised later they are too few; a rejection ends it until it is edited."""
    admin.patch("/v1/envs/production", {"approvals": 2})
    second = limited("ops")
    request = propose(developer, rate_limit=200)
    assert approve(ops, request).json["status"] == "open"
    assert approve(ops, request).json["approvals"]["by"] == ["ops"]
    assert approve(second, request).json["status"] == "approved"
    admin.patch("/v1/envs/production", {"approvals": 3})
    assert step(developer, request, "apply").status_code == 409
    assert step(second, request, "reviews", {"decision": "reject", "comment": "no"}).json["status"] == "rejected"
    assert approve(admin, request).status_code == 409
    assert developer.patch(f"/v1/requests/{request['id']}", {"note": "please"}).json["status"] == "open"


def test_a_rejection_after_an_approval_takes_it_back(ops: Caller, developer: Caller) -> None:
    """Of each reviewer the last word counts."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    assert step(ops, request, "reviews", {"decision": "reject"}).json["status"] == "rejected"
    assert step(developer, request, "apply").status_code == 409


def test_who_may_take_which_step(ops: Caller, developer: Caller, limited: Callable[..., Caller]) -> None:
    """Only its author edits and withdraws; whoever may not see all of it sees nothing of it."""
    request = propose(developer, rate_limit=200)
    for stranger in (limited("ops", "search"), limited("ops", "payments", ["staging"])):
        assert stranger.get(f"/v1/requests/{request['id']}").status_code == 404
        assert stranger.get("/v1/requests").json["items"] == []
        for name in ("apply", "withdraw"):
            assert step(stranger, request, name).status_code == 404
    assert ops.patch(f"/v1/requests/{request['id']}", {"note": "mine"}).status_code == 403
    assert step(ops, request, "withdraw").status_code == 403
    assert step(developer, request, "withdraw", {"comment": "never mind"}).json["status"] == "withdrawn"
    assert approve(ops, request).status_code == 409
    assert developer.patch(f"/v1/requests/{request['id']}", {}).status_code == 409


def test_what_could_not_be_written_can_not_be_proposed(developer: Caller) -> None:
    """Types, schemas and names are refused as the write would be, with their places; so is what changes nothing."""
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"key": "rate_limit", "value": "200"}, 422, "changes[0].value"),
        ({"key": "nobody", "value": 1}, 422, "changes[0].key"),
        ({"key": "rate_limit", "value": 100}, 422, "changes"),
        ({"key": "rate_limit"}, 422, "changes[0]"),
        ({"key": "rate_limit", "value": 1, "schema": {}}, 422, "changes[0]"),
        ({"key": "rate_limit", "schema": {"type": 7}}, 422, "changes[0].schema"),
    ]
    for change, status, field in wrong:
        answer = developer.post(REQUESTS, {"changes": [{"namespace": "payments", **change}]})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (status, field), change
    change = {"namespace": "payments", "key": "rate_limit", "value": 1}
    assert developer.post(REQUESTS, {"changes": [change, change]}).status_code == 422
    assert developer.post("/v1/envs/nowhere/requests", {"changes": [change]}).status_code == 404


def test_a_schema_is_proposed_and_applied(ops: Caller, developer: Caller) -> None:
    """Together with values, in one transaction; values that it would break refuse it when it is applied."""
    schema = {"maximum": 1000}
    changes = [
        {"namespace": "payments", "key": "rate_limit", "schema": schema},
        {"namespace": "payments", "key": "burst", "value": 50},
    ]
    request = developer.post(REQUESTS, {"changes": changes}).json
    assert {"from": {"schema": None}, "to": {"schema": schema}}.items() <= request["diff"][1].items()
    approve(ops, request)
    answer = step(developer, request, "apply")
    assert answer.status_code == 200, answer.text
    assert ops.get("/v1/namespaces/payments/keys/rate_limit").json["schema"] == schema
    assert values(ops)["burst"] == 50
    alone = developer.post(
        REQUESTS, {"changes": [{"namespace": "payments", "key": "burst", "schema": {"maximum": 10}}]}
    )
    approve(ops, alone.json)
    refused = step(developer, alone.json, "apply")
    assert (refused.status_code, refused.json["code"]) == (422, "validation_failed")
    assert "production" in refused.json["detail"]
    assert look(ops, alone.json)["status"] == "approved"


def test_break_glass_is_marked(ops: Caller, developer: Caller) -> None:
    """Ops write without a review and say why; release, versions and audit trail keep the reason; developers can't."""
    glass = {"break_glass": {"reason": "INC-1: payments are down"}}
    for query in ("", "?dry_run=true"):
        assert developer.put(f"{PRODUCTION}/rate_limit{query}", {"value": 1, **glass}).status_code == 403
    revision = ops.put(f"{PRODUCTION}/rate_limit", {"value": 1, **glass}).json["revision"]
    review = {"break_glass": "INC-1: payments are down"}
    assert ops.get(f"/v1/envs/production/releases/{revision}").json["review"] == review
    assert ops.get(f"{PRODUCTION}/rate_limit/versions").json["items"][0]["review"] == review
    assert ops.get("/v1/audit?env=production&limit=1").json["items"][0]["details"].items() >= review.items()
    assert ops.put(f"{PRODUCTION}/rate_limit", {"value": 2, "break_glass": {"reason": ""}}).status_code == 422
    for path, body in (
        (f"{PRODUCTION}/rate_limit/rollback", {"version": 1}),
        ("/v1/namespaces/payments/envs/production/restore", {"revision": 1}),
        (f"/v1/envs/production/releases/{revision + 1}/undo", {}),
    ):
        assert ops.post(path, body).status_code == 409, path
        assert ops.post(path, {**body, **glass}).status_code == 200, path


def test_break_glass_means_nothing_where_nothing_is_protected(developer: Caller) -> None:
    """A developer's write to an open environment is what it always is."""
    answer = developer.put("/v1/namespaces/payments/envs/staging/config/rate_limit", {"value": 1, **BREAK_GLASS})
    assert answer.status_code == 200
    assert developer.get("/v1/envs/staging/releases/1").json["review"] is None


def test_a_dry_run_shows_what_a_proposal_would_do(ops: Caller, developer: Caller) -> None:
    """For those who may propose: the difference, and that a review is due; applying takes it too."""
    for caller in (ops, developer):
        preview = caller.put(f"{PRODUCTION}/rate_limit?dry_run=true", {"value": 200}).json
        assert (preview["review_required"], preview["diff"][0]["to"]["value"]) == (True, 200)
    request = propose(developer, rate_limit=200)
    assert developer.post(f"/v1/requests/{request['id']}/apply?dry_run=true", {}).status_code == 409
    approve(ops, request)
    preview = developer.post(f"/v1/requests/{request['id']}/apply?dry_run=true", {}).json
    assert preview["diff"][0]["to"]["value"] == 200
    assert (values(ops)["rate_limit"], look(ops, request)["status"]) == (100, "approved")


def test_applied_again_with_its_idempotency_key(ops: Caller, developer: Caller) -> None:
    """The answer is that of the first time; without the key, it is done already."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    path, headers = f"/v1/requests/{request['id']}/apply", {"Idempotency-Key": "once"}
    first, again = (developer.post(path, {}, headers=headers) for _ in range(2))
    assert (first.json, again.headers["Idempotent-Replayed"]) == (again.json, "true")
    assert developer.post(path, {}).status_code == 409


def test_protection_that_comes_later_holds_at_once(ops: Caller, admin: Caller) -> None:
    """A write is judged by the environment as it is under the commit's lock."""
    path = "/v1/namespaces/payments/envs/staging/config/rate_limit"
    assert ops.put(path, {"value": 1}).status_code == 200
    admin.patch("/v1/envs/staging", {"review_required": True})
    assert ops.put(path, {"value": 2}).status_code == 409


def test_lists_are_narrowed(ops: Caller, developer: Caller) -> None:
    """By environment, namespace, status and author; a status that there is not is named."""
    first, second = propose(developer, rate_limit=200), propose(ops, burst=1)
    approve(ops, first)
    listed = {
        query: [item["id"] for item in ops.get(f"/v1/requests?{query}").json["items"]]
        for query in ("", "status=approved", "author=ops", "env=staging", "namespace=payments", "namespace=search")
    }
    both = [second["id"], first["id"]]
    assert list(listed.values()) == [both, [first["id"]], [second["id"]], [], both, []]
    assert ops.get("/v1/requests?status=done").status_code == 400
    page = ops.get("/v1/requests?limit=1").json
    assert [item["id"] for item in ops.get(f"/v1/requests?limit=1&cursor={page['next']}").json["items"]] == [
        first["id"]
    ]


def test_applied_by_many_at_once_is_applied_once(ops: Caller, admin: Caller, developer: Caller) -> None:
    """One of them makes the release; the others are told that it is done."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    answers = at_once(*(partial(step, who, request, "apply") for who in (ops, admin, developer) * 2))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 5]
    assert ops.get(f"{PRODUCTION}/rate_limit/versions").json["items"][0]["version"] == 2


def test_what_is_applied_replaces_what_was_approved_to_be_replaced(ops: Caller, developer: Caller) -> None:
    """Whichever of an apply and another release comes first: no approval is stretched to a version it never saw."""
    outcomes = set()
    for value in range(12):
        request = propose(developer, rate_limit=1000 + value)
        approve(ops, request)
        base = request["changes"][0]["base"]["version"]
        glass = {"value": value, **BREAK_GLASS}
        apply, overtake = (
            partial(step, developer, request, "apply"),
            partial(ops.put, f"{PRODUCTION}/rate_limit", glass),
        )
        applied, _ = at_once(apply, overtake)
        status = look(ops, request)["status"]
        outcomes.add((applied.status_code, status))
        if applied.status_code == 200:
            assert applied.json["changes"][0]["version"] == base + 1
    assert outcomes <= {(200, "applied"), (409, "void")}


@pytest.mark.parametrize(
    "wrong", [{"values": ["201"]}, {"key_ids": [], "values": [], "definitions": []}, {"more": True}]
)
def test_only_what_was_approved_is_committed(ops: Caller, developer: Caller, app: Any, wrong: dict[str, Any]) -> None:
    """The database itself refuses another value, a key less and a key more under an approved request."""
    request = propose(developer, rate_limit=200)
    approve(ops, request)
    database: Database = app.extensions["configsvc"][3]
    names = [("payments", "rate_limit"), ("payments", "burst")]
    with database.connection() as connection:
        rows = catalog.resolve_keys(connection, "production", names)
    ids = [row["key_id"] for row in rows]
    right = {"key_ids": ids[:1], "values": ["200"], "definitions": [1]}
    terms = {"key_ids": ids, "values": ["200", "9"], "definitions": [1, 1]} if "more" in wrong else right | wrong

    def committed(terms: dict[str, Any]) -> Committed:
        leave = Leave(change_request=request["id"], edition=1)
        release = Commit(env_id=rows[0]["env_id"], kind="request", note="", leave=leave, **terms)
        with database.connection() as connection:
            return commit(connection, release, Origin("mallory", "", ""), None)

    with pytest.raises(NotApproved):
        committed(terms)
    assert values(ops) == {"rate_limit": 100, "burst": 5}
    assert committed(right).revision == 2


def test_refused_steps_are_on_record(ops: Caller, admin: Caller, developer: Caller) -> None:
    """Applied before its time or after it was void, approved by its author: each with the request's place."""
    request = propose(admin, rate_limit=200)
    assert step(admin, request, "apply").status_code == 409
    assert approve(admin, request).status_code == 403
    assert approve(developer, request).status_code == 403
    ops.put(f"{PRODUCTION}/rate_limit", {"value": 2, **BREAK_GLASS})
    assert step(admin, request, "apply").status_code == 409
    path = f"POST /v1/requests/{request['id']}"
    items = ops.get("/v1/audit?env=production&namespace=payments&action=write.refused").json["items"]
    assert [(item["actor"], item["details"]["what"]) for item in reversed(items)] == [
        ("admin", f"{path}/apply: conflict"),
        ("admin", f"{path}/reviews: forbidden"),
        ("developer", f"{path}/reviews: forbidden"),
    ], "repeats of one kind are counted in the first"


def test_an_edit_takes_a_request_out_of_sight(app: Any, admin: Caller, limited: Callable[..., Caller]) -> None:
    """Whoever may not read what it is about now takes no step with it, though they saw it a moment ago."""
    request = propose(admin, rate_limit=200)
    narrow = limited("ops", "payments", ["production"])
    assert step(narrow, request, "reviews", {"decision": "comment", "comment": "hm"}).status_code == 200
    database: Database = app.extensions["configsvc"][3]
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            lock_environment(connection, "production")
            said = pool.submit(step, narrow, request, "reviews", {"decision": "comment", "comment": "hm"})
            wait_until_locked(database)
            connection.execute("UPDATE change_request SET namespaces = '{search}' WHERE id = %s", [request["id"]])
        assert said.result(30).status_code == 404


def test_a_developers_reason_breaks_no_glass_that_came_meanwhile(app: Any, admin: Caller, developer: Caller) -> None:
    """A write that was allowed while the environment was open is not let through once it is protected."""
    path = "/v1/namespaces/payments/envs/staging/config/rate_limit"
    protecting = "UPDATE environment SET review_required = true WHERE name = 'staging'"
    database: Database = app.extensions["configsvc"][3]
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            connection.execute(protecting)
            written = pool.submit(developer.put, path, {"value": 1, **BREAK_GLASS})
            wait_until_locked(database)
        assert written.result(30).status_code == 409
    assert admin.get("/v1/envs/staging/releases").json["items"] == []


def test_a_schema_by_broken_glass_is_in_the_environments_trail(ops: Caller) -> None:
    """Among the releases of each protected environment in which the key has a value, with the reason."""
    changed = ops.patch("/v1/namespaces/payments/keys/burst", {"schema": {"maximum": 9}, **BREAK_GLASS})
    assert changed.status_code == 200, changed.text
    (event,) = ops.get("/v1/audit?env=production&action=key.update").json["items"]
    assert (event["details"]["break_glass"], event["details"]["key"]) == ("a test", "burst")
    assert len(ops.get("/v1/audit?action=key.update").json["items"]) == 2


def test_two_requests_that_lock_each_others_keys_are_both_applied(ops: Caller, admin: Caller) -> None:
    """Schemas and values crosswise, in two environments at once: neither waits for the other for good."""
    admin.patch("/v1/envs/production", {"review_required": False})
    both = [("production", "rate_limit", "burst"), ("staging", "burst", "rate_limit")]
    for turn in range(5):
        requests = []
        for env, schema, value in both:
            changes = [
                {"namespace": "payments", "key": schema, "schema": {"maximum": 1000 + turn}},
                {"namespace": "payments", "key": value, "value": 50 + turn},
            ]
            request = admin.post(f"/v1/envs/{env}/requests", {"changes": changes}).json
            approve(ops, request)
            requests.append(request)
        applied = at_once(*(partial(step, admin, request, "apply") for request in requests))
        assert [answer.status_code for answer in applied] == [200, 200], [answer.text for answer in applied]


def test_a_minted_token_counts_as_its_maker_and_has_its_own_rights(ops: Caller, admin: Caller, app: Any) -> None:
    """A viewer's token that the author minted neither applies nor withdraws what the author proposed."""
    request = propose(admin, rate_limit=200)
    approve(ops, request)
    viewer = Caller(app, admin.post("/v1/tokens", {"name": "mine", "grants": [{"role": "viewer"}]}).json["token"])
    for name in ("apply", "withdraw"):
        assert step(viewer, request, name).status_code == 403
    assert look(ops, request)["status"] == "approved"


def test_another_environments_request_does_not_reach_production(ops: Caller, developer: Caller) -> None:
    """A schema of a key that has a value in production is approved there, whatever is approved elsewhere."""
    change = {"namespace": "payments", "key": "rate_limit", "schema": {"maximum": 100}}
    request = developer.post("/v1/envs/development/requests", {"changes": [change]}).json
    approve(ops, request)
    assert step(developer, request, "apply").status_code == 409
    assert ops.get("/v1/namespaces/payments/keys/rate_limit").json["schema"] is None


def test_an_approval_is_not_for_a_key_that_was_declared_anew(ops: Caller, developer: Caller) -> None:
    """Deleted and declared again it is another key, and the request is not applied to it."""
    ops.post("/v1/namespaces/payments/keys", {"key": "fresh", "type": "int"})
    request = propose(developer, fresh=5)
    approve(ops, request)
    assert developer.delete("/v1/namespaces/payments/keys/fresh").status_code == 204
    developer.post("/v1/namespaces/payments/keys", {"key": "fresh", "type": "int"})
    assert step(developer, request, "apply").status_code == 409
    assert "fresh" not in values(ops)


def test_applying_a_schema_tells_nothing_of_environments_that_its_author_may_not_see(
    ops: Caller, limited: Callable[..., Caller]
) -> None:
    """Neither their names, nor what is in them; somebody who may look there applies it, and is told."""
    assert ops.put("/v1/namespaces/payments/envs/staging/config/burst", {"value": 7}).status_code == 200
    author = limited("developer", "payments", ["production"])
    change = {"namespace": "payments", "key": "burst", "schema": {"maximum": 6}}
    request = author.post(REQUESTS, {"changes": [change]}).json
    assert approve(ops, request).json["status"] == "approved"
    refused = step(author, request, "apply")
    assert (refused.status_code, refused.json["code"]) == (403, "forbidden")
    assert "staging" not in refused.text
    told = step(ops, request, "apply")
    assert (told.status_code, "staging would break it" in told.text) == (422, True)


def test_a_schema_takes_rights_wherever_the_key_has_a_value(ops: Caller, limited: Callable[..., Caller]) -> None:
    """Without a grant on one of them it is refused, and that environment is not named."""
    ops.put("/v1/namespaces/payments/envs/staging/config/burst", {"value": 1})
    narrow = limited("developer", "payments", ["development"])
    answer = narrow.patch("/v1/namespaces/payments/keys/burst", {"schema": {"maximum": 0}})
    assert answer.status_code == 403
    assert "staging" not in answer.text
    assert "production" not in answer.text
