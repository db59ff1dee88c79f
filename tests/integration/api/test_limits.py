"""Limits for each token: requests in a second, and requests held."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from configsvc.app import close, create_app
from configsvc.service.rates import BURST_S
from configsvc.settings import Settings
from tests.integration.api.conftest import Caller
from tests.integration.api.test_problems import assert_problem
from tests.integration.api.test_sync import SCOPE, ask, sync, write

CONVERGENCE = "/v1/envs/staging/releases/1/convergence"


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """As always, with the limits that the test asks for."""
    return settings.model_copy(update=request.param)


@pytest.mark.parametrize("settings", [{"token_requests_per_s": 1}], indirect=True)
def test_one_token_too_often_is_told_to_wait(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Past its burst it gets 429 with Retry-After on every call; others, and who needs no token, don't notice."""
    answers = [ops.get(f"{SCOPE}/config") for _ in range(int(BURST_S) + 3)]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    for answer in (answers[-1], ops.put(f"{SCOPE}/config/a", {"value": 1, "type": "int"}), ops.post("/v1/sync", ask())):
        assert_problem(answer, 429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1
        assert "Retry-After" in answer.json["detail"]
    assert caller("viewer").get(f"{SCOPE}/config").status_code == 200
    for _ in range(5):
        assert caller(None).get("/readyz").status_code == 200
        assert caller(None).get(f"{SCOPE}/config").status_code == 401


@pytest.mark.parametrize("settings", [{"token_held_max": 0}], indirect=True)
def test_one_token_that_holds_too_much_is_not_held(ops: Caller) -> None:
    """Sync says at once: nothing new; a stream ends; watch and convergence say 429 unless they have an answer."""
    write(ops, "payments", "a", 1)
    first = sync(ops)
    assert sync(ops, first["cursor"], first["view"], wait_s=5)["kind"] == "none"
    for path in (f"{SCOPE}/watch?since=1&timeout=50", f"{CONVERGENCE}?wait=30"):
        answer = ops.get(path)
        assert_problem(answer, 429, "rate_limited")
        assert int(answer.headers["Retry-After"]) >= 1
    # A browser comes back to a stream that ends, and never to one that was refused.
    assert ops.get(f"{SCOPE}/stream").text.partition("event: end")[2].startswith('\ndata: {"code":"rate_limited"')
    assert ops.get(f"{SCOPE}/watch?since=0&timeout=50").json["has_changes"]
    assert ops.get(f"{SCOPE}/watch?since=1&timeout=0").status_code == 200
    assert ops.get(CONVERGENCE).status_code == 200


@pytest.fixture
def second_worker(settings: Settings) -> Iterator[Flask]:
    """Another process' application on the same database."""
    app = create_app(settings)
    yield app
    close(app)


@pytest.mark.parametrize("settings", [{"token_requests_per_s": 1}], indirect=True)
def test_each_worker_counts_for_itself(ops: Caller, second_worker: Flask) -> None:
    """What a token did at one worker is not known to another."""
    while ops.get(f"{SCOPE}/config").status_code == 200:
        pass
    assert Caller(second_worker, ops.token).get(f"{SCOPE}/config").status_code == 200
