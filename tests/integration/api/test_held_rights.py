"""Held requests and the rights of their callers, which may end meanwhile."""

from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
import pytest

from configsvc.service import access, holds
from configsvc.store import config
from tests.delivery import wait_until
from tests.fix_database import Database
from tests.integration.api.conftest import Caller
from tests.integration.api.test_sync import SCOPE, Held, sync, write

#: Longer than a test may take: what ends before that was ended.
WATCH = f"{SCOPE}/watch?since=1&timeout=55"
CONVERGENCE = "/v1/envs/staging/releases/1/convergence?wait=30"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become hundredths; ask for it before the application."""
    monkeypatch.setattr(holds, "RECHECK_S", 0.04)
    for module in (access, holds):
        monkeypatch.setattr(module, "CACHE_S", 0.05)


@pytest.mark.parametrize("path", [WATCH, CONVERGENCE])
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("UPDATE token SET revoked_at = clock_timestamp() WHERE name = 'limited-0'", 401),
        ("UPDATE token SET expires_at = clock_timestamp() WHERE name = 'limited-0'", 401),
        ("DELETE FROM access_grant WHERE token_id = (SELECT id FROM token WHERE name = 'limited-0')", 404),
    ],
    ids=["revoked", "expired", "grant-gone"],
)
def test_rights_that_end_end_the_hold(
    quick: None, ops: Caller, limited: Callable[..., Caller], database: Database, path: str, ending: str, status: int
) -> None:
    """A held request ends soon after its token or its grant did, though nothing else happens."""
    write(ops, "payments", "a", 1)
    short = limited("service")
    held = Held(lambda: short.get(path))
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(ending)
    answer = held.result()
    assert answer.status_code == answer.json["status"] == status
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many times callers were authenticated, and looked up in the database for it."""
    counts = {"authenticated": 0, "looked up": 0}

    def count(target: Any, name: str, what: str) -> None:
        plain = getattr(target, name)

        def counting(*args: Any, **more: Any) -> Any:
            counts[what] += 1
            return plain(*args, **more)

        monkeypatch.setattr(target, name, counting)

    count(access, "Caller", "authenticated")
    count(access.store, "token_by_id", "looked up")
    return counts


def noting(note: Callable[[str], None], name: str, plain: Callable[..., Any], *args: Any) -> Any:
    """Call something, and note its name."""
    note(name)
    return plain(*args)


def test_one_release_costs_one_look_up_of_each_kind(
    monkeypatch: pytest.MonkeyPatch, counted: dict[str, int], ops: Caller, limited: Callable[..., Caller]
) -> None:
    """However many it answers, syncs and watches: one of the token, of the newest revision, of what the scopes are."""
    write(ops, "payments", "a", 1)
    service = limited("service")
    first = sync(service)
    looks: list[str] = []
    for name in ("newest", "labels", "changes_between"):
        plain = getattr(config, name)
        monkeypatch.setattr(config, name, partial(noting, looks.append, name, plain))
    held = [Held(lambda: sync(service, first["cursor"], first["view"], wait_s=5)) for _ in range(20)]
    held += [Held(lambda: service.get(f"{WATCH}").json) for _ in range(20)]
    hub = ops.app.extensions["configsvc"][2]
    wait_until(lambda: hub._look("staging").over._waiting == len(held))
    looked_up = counted["looked up"]
    looks.clear()
    write(ops, "payments", "a", 2)
    answers = [request.result() for request in held]
    assert {answer["cursor"] for answer in answers} == {answers[0]["cursor"]}
    assert all(answer["changes"]["payments"][0]["value"] == 2 for answer in answers[:20])
    assert all(answer["changes"][0]["value"] == 2 for answer in answers[20:])
    writing = 1
    assert counted["looked up"] == looked_up + 1 + writing
    # Two of the scopes: syncs and watches ask about different ones.
    assert sorted(looks) == ["changes_between", "labels", "labels", "newest"]


def test_held_requests_share_the_look_ups(
    monkeypatch: pytest.MonkeyPatch, counted: dict[str, int], ops: Caller, limited: Callable[..., Caller]
) -> None:
    """Looks at a token while its requests are held come from memory."""
    monkeypatch.setattr(holds, "RECHECK_S", 0.02)
    write(ops, "payments", "a", 1)
    service = limited("service")
    sync(service)
    before = counted.copy()
    held = [Held(lambda: service.get(WATCH)) for _ in range(20)]
    wait_until(lambda: counted["authenticated"] > before["authenticated"] + 200)
    # What was in memory may just have become too old.
    assert counted["looked up"] <= before["looked up"] + 2
    write(ops, "payments", "a", 2)
    assert {request.result().status_code for request in held} == {200}
