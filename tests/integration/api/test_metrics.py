"""What monitoring reads: figures in Prometheus' format, of what the caller may see."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from prometheus_client.parser import text_string_to_metric_families

from configsvc import meters
from configsvc.store.database import POOL_SIZE_MAX, Database
from tests.delivery import wait_until
from tests.integration.api.conftest import BREAK_GLASS, Caller

#: Reports of clients are written every second.
HEARD_WITHIN_S = 20

Sample = tuple[str, tuple[tuple[str, str], ...]]


def samples(caller: Caller) -> dict[Sample, float]:
    """All samples, by name and labels."""
    answer = caller.get("/metrics")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain"), answer.text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of_env(name: str, env: str, **more: str) -> Sample:
    """The name of a sample of ours."""
    return f"configsvc_{name}", tuple(sorted({"env": env, **more}.items()))


def test_it_tells_how_far_everything_is(admin: Caller) -> None:
    """Revisions, what no relay has published, what waits for a review; without a relay, that none leads."""
    for value in (1, 2):
        admin.put("/v1/namespaces/payments/envs/staging/config/limit", {"value": value, "type": "int"})
    change = {"namespace": "payments", "key": "limit", "value": 3}
    admin.post("/v1/envs/production/requests", {"changes": [change]})
    seen = samples(admin)
    assert seen[of_env("environment_revision", "staging")] == 2
    assert seen[of_env("outbox_unpublished", "staging")] == 2
    assert seen[of_env("outbox_oldest_unpublished_seconds", "staging")] > 0
    assert seen[of_env("outbox_oldest_unpublished_seconds", "production")] == 0
    assert seen[of_env("change_requests_waiting", "production")] == 1
    assert seen["configsvc_relay_leading", ()] == 0


def test_it_counts_clients(admin: Caller, caller: Callable[[str | None], Caller]) -> None:
    """By environment and transport, with those that refuse what they hear."""
    for rejected in (None, {"cursor": "1.0123456789abcdef", "reason": "no"}):
        client = {"id": str(uuid.uuid4()), "service": "s", "host": "h", "pid": 1, "sdk": "x", "transport": "redis"}
        body = {
            "client": client | ({"rejected": rejected} if rejected else {}),
            "env": "staging", "namespaces": ["payments"], "have": None, "view": None, "wait_s": 0,
        }  # fmt: skip
        assert caller("service").post("/v1/sync", body).status_code == 200
    live = of_env("watchers", "staging", transport="redis")
    deadline = time.monotonic() + HEARD_WITHIN_S
    while samples(admin).get(live) != 2:
        assert time.monotonic() < deadline
    assert samples(admin)[of_env("watchers_rejecting", "staging", transport="redis")] == 1


def test_it_times_requests_by_their_routes(admin: Caller) -> None:
    """Names, addresses that are nothing and words that are no method make no series of their own."""
    for key in ("a", "b"):
        admin.put(f"/v1/namespaces/payments/envs/staging/config/{key}", {"value": 1, "type": "int"})
    for nonsense in ("/v1/nothing", "/v1/nowhere"):
        admin.get(nonsense)
    admin.send("BREW", "/v1/envs")
    seen = samples(admin)

    def count(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return seen["configsvc_http_request_duration_seconds_count", tuple(sorted(labels.items()))]

    assert count("PUT", "/v1/namespaces/<namespace>/envs/<env>/config/<key>", 200) == 2
    assert count("", "", 404) == 2
    assert count("", "", 405) == 1


def test_it_counts_what_is_held(admin: Caller) -> None:
    """A poll is counted until it is answered."""
    polls = ("configsvc_held_requests", (("kind", "poll"),))
    scope = "/v1/namespaces/payments/envs/staging"
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(admin.get, f"{scope}/watch?since=0&timeout=20")
        wait_until(lambda: samples(admin)[polls] == 1)
        admin.put(f"{scope}/config/limit", {"value": 1, "type": "int"})
        assert answer.result().json["has_changes"]
    assert samples(admin)[polls] == 0


def test_it_counts_waits_for_postgres(admin: Caller) -> None:
    """Whoever finds no connection free is counted, with the time that it took."""

    def waits() -> tuple[float, ...]:
        names = ("configsvc_database_pool_waits_total", "configsvc_database_pool_wait_seconds_total")
        return tuple(meters.REGISTRY.get_sample_value(name) or 0.0 for name in names)

    database: Database = admin.app.extensions["configsvc"][3]
    with ExitStack() as taken, ThreadPoolExecutor(1) as threads:
        for _ in range(POOL_SIZE_MAX):
            taken.enter_context(database.connection())
        before = waits()
        answer = threads.submit(admin.get, "/v1/envs")
        wait_until(lambda: database._opened().get_stats()["requests_waiting"] > 0)
        taken.close()
        assert answer.result().status_code == 200
    assert waits()[0] >= before[0] + 1
    assert waits()[1] > before[1]


def test_it_tells_of_what_the_caller_may_read(admin: Caller, limited: Callable[..., Caller]) -> None:
    """Another environment is not named."""
    admin.put("/v1/namespaces/payments/envs/production/config/limit", {"value": 1, "type": "int", **BREAK_GLASS})
    envs = {label for _, labels in samples(limited("viewer", "payments", ["staging"])) for label in labels}
    assert ("env", "staging") in envs
    assert ("env", "production") not in envs
