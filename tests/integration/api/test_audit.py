"""The audit trail over HTTP: every change, every refused write, every failed authentication; who, what, where, when."""

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from flask import Flask

from configsvc.service.audit import Refusals
from configsvc.store import audit as store
from tests.integration.api.conftest import BREAK_GLASS, Caller

SCOPE = "/v1/namespaces/payments/envs/staging/config"


def events(caller: Caller, **wanted: str) -> list[dict[str, Any]]:
    """Read events, oldest first."""
    answer = caller.get("/v1/audit", query_string={"limit": "500", **wanted})
    assert answer.status_code == 200, answer.text
    return list(reversed(answer.json["items"]))


@pytest.fixture
def refusals(app: Flask) -> Iterator[Refusals]:
    """The recorder of this service; flushing it is what its timer does after ten seconds."""
    return app.extensions["configsvc"][1]


def test_every_kind_of_change_is_recorded(admin: Caller, ops: Caller) -> None:
    """Who, what, where, from which address, under which request id; in the order of their happening."""
    admin.post("/v1/namespaces", {"name": "shipping"})
    admin.post("/v1/envs", {"name": "canary"})
    admin.patch("/v1/envs/canary", {"approvals": 2})
    token = admin.post("/v1/tokens", {"name": "bot", "grants": [{"role": "viewer"}]}).json
    grant = admin.post("/v1/grants", {"token_id": token["id"], "role": "ops"}).json
    admin.delete(f"/v1/grants/{grant['id']}")
    admin.delete(f"/v1/tokens/{token['id']}")
    ops.post("/v1/namespaces/payments/keys", {"key": "a", "type": "int"})
    ops.patch("/v1/namespaces/payments/keys/a", {"schema": {"maximum": 9}})
    ops.put(f"{SCOPE}/a", {"value": 1}, headers={"X-Request-Id": "my-request"})
    ops.post(f"{SCOPE}/a/rollback", {"version": 1})
    ops.delete(f"{SCOPE}/a")
    ops.delete("/v1/namespaces/payments/keys/a")
    seen = events(admin)
    assert [event["action"] for event in seen if event["actor"] != "configsvc dev"] == [
        "namespace.create", "environment.create", "environment.update", "token.create", "grant.create", "grant.delete",
        "token.revoke", "key.declare", "key.update", "release.edit", "release.edit", "key.delete",
    ]  # fmt: skip
    (release,) = [event for event in seen if event["request_id"] == "my-request"]
    wanted = {"env": "staging", "revision": 1, "actor": "ops", "namespaces": ["payments"], "address": "127.0.0.1"}
    assert release.items() >= wanted.items()
    assert events(admin, action="key.update")[0]["details"] == {"key": "a", "schema": {"maximum": 9}}
    assert "cfg_" not in str(seen), "no token is in it"


def test_what_is_refused_is_recorded(admin: Caller, caller: Callable[[str | None], Caller], limited: Any) -> None:
    """Too small a grant, none at all, and a missing review; reads and mistakes are not."""
    admin.put(f"{SCOPE}/a", {"value": 1, "type": "int"})
    viewer, stranger = caller("viewer"), limited("ops", "search")
    viewer.put(f"{SCOPE}/a", {"value": 2})
    stranger.delete(f"{SCOPE}/a")
    admin.put(SCOPE.replace("staging", "production") + "/a", {"value": 2})
    viewer.get("/v1/tokens")
    admin.put(f"{SCOPE}/a", {"value": "wrong"})
    refused = events(admin, action="write.refused")
    assert [(event["actor"], event["env"], event["details"]["what"]) for event in refused] == [
        ("viewer", "staging", f"PUT {SCOPE}/a: forbidden"),
        (stranger_name := refused[1]["actor"], "staging", f"DELETE {SCOPE}/a: not_found"),
        ("admin", "production", f"PUT {SCOPE.replace('staging', 'production')}/a: review_required"),
    ]
    assert stranger_name.startswith("limited-")
    assert [event["namespaces"] for event in refused] == [["payments"]] * 3


def test_repeats_are_counted_not_multiplied(admin: Caller, app: Flask, refusals: Refusals) -> None:
    """A flood of one kind is two events: the first at once, the rest with their number."""
    stranger = Caller(app, "cfg_000000000000_" + "A" * 43)
    for _ in range(50):
        assert stranger.get(f"{SCOPE}/a").status_code == 401
    assert [event["details"]["times"] for event in events(admin, action="authentication")] == [1]
    refusals.flush()
    failed = events(admin, action="authentication.failed")
    assert [event["details"]["times"] for event in failed] == [1, 49]
    assert (failed[0]["actor"], failed[0]["address"]) == ("", "127.0.0.1")
    refusals.flush()
    assert len(events(admin, action="authentication")) == 2


def test_a_flood_of_kinds_hides_nobody_elses(admin: Caller, caller: Callable[[str | None], Caller]) -> None:
    """One caller who tries very many things is recorded as that caller; what others are refused keeps its name."""
    viewer, developer = caller("viewer"), caller("developer")
    with mock.patch("configsvc.service.audit.KINDS_MAX", 5):
        for number in range(9):
            viewer.put(f"{SCOPE}/k{number}", {"value": 2})
        developer.put(SCOPE.replace("staging", "production") + "/a", {"value": 2})
    refused = events(admin, action="write.refused")
    assert [event["actor"] for event in refused] == ["viewer"] * 6 + ["developer"]
    assert refused[5]["details"]["what"] == "of many kinds"


def test_an_undo_of_what_is_hidden_is_recorded(admin: Caller, limited: Callable[..., Caller]) -> None:
    """Whoever may not read all of a release, or nothing of it, is refused like one who has no grant there."""
    for namespace in ("payments", "search"):
        admin.post(f"/v1/namespaces/{namespace}/keys", {"key": "a", "type": "int"})
    changes = [{"namespace": name, "key": "a", "value": 1} for name in ("payments", "search")]
    admin.post("/v1/envs/staging/releases", {"changes": changes})
    admin.post("/v1/envs/staging/releases", {"changes": [changes[1] | {"value": 2}]})
    narrow = limited("ops", "payments", ["staging"])
    for revision in (1, 2):
        assert narrow.post(f"/v1/envs/staging/releases/{revision}/undo", {}).status_code == 404
    assert [event["env"] for event in events(admin, action="write.refused")] == ["staging"] * 2


def test_a_refusal_stands_though_it_can_not_be_recorded(caller: Callable[[str | None], Caller]) -> None:
    """The caller gets the same 403 when the trail can't be written."""
    from configsvc.errors import Unavailable

    with mock.patch.object(store, "record", side_effect=Unavailable("gone")):
        assert caller("viewer").put(f"{SCOPE}/a", {"value": 2}).status_code == 403


def test_everybody_sees_what_is_about_theirs(admin: Caller, limited: Callable[..., Caller]) -> None:
    """By namespace and environment; tokens are for admins; of a release everybody sees their part."""
    for namespace in ("payments", "search"):
        admin.post(f"/v1/namespaces/{namespace}/keys", {"key": "a", "type": "int"})
    changes = [{"namespace": name, "key": "a", "value": 1} for name in ("payments", "search")]
    admin.post("/v1/envs/staging/releases", {"changes": changes})
    admin.post("/v1/envs/production/releases", {"changes": changes, **BREAK_GLASS})
    narrow = limited("viewer", "pay*", ["staging"])
    assert [(event["action"], event["namespaces"]) for event in events(narrow)] == [
        ("namespace.create", ["payments"]),
        ("key.declare", ["payments"]),
        ("release.edit", ["payments"]),
    ]
    assert narrow.get("/v1/audit?env=production").status_code == 404
    assert narrow.get("/v1/audit?namespace=search").status_code == 404


def test_the_trail_is_searched(admin: Caller, ops: Caller) -> None:
    """By environment, namespace, key, actor, action and time; half of a filter is refused."""
    for key in ("a", "b"):
        ops.put(f"{SCOPE}/{key}", {"value": 1, "type": "int"})
    admin.put(f"{SCOPE}/a", {"value": 2})
    by_key = events(admin, namespace="payments", key="a")
    assert [event["action"] for event in by_key] == ["release.edit", "key.declare", "release.edit"]
    assert [event["actor"] for event in events(admin, env="staging", action="release", actor="admin")] == ["admin"]
    at = by_key[-1]["created_at"]
    assert [event["id"] for event in events(admin, since=at, env="staging")] == [by_key[-1]["id"]]
    assert by_key[-1]["id"] not in [event["id"] for event in events(admin, until=at)]
    assert admin.get("/v1/audit?key=a").status_code == 400
    assert admin.get("/v1/audit?since=yesterday").status_code == 400
    assert admin.get("/v1/audit?env=nowhere").status_code == 404
