"""Convergence with 500 watchers: true at every moment on the way, not only at its end. Prints what it costs."""

import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from configsvc.dev.stack import Stack

pytestmark = [pytest.mark.scale, pytest.mark.timeout(300)]

WATCHERS = 500
THREADS = 20
#: As long as clients take to report what they applied (docs/protocol.md).
REPORT_WITHIN_S = 2.0
RELEASES = 3
DEADLINE_S = 60.0
HOUR_S, NEXT_SYNC_S = 3600, 30


@dataclass
class Api:
    """One connection with one token."""

    stack: Stack
    role: str

    def __post_init__(self) -> None:
        self._connection = http.client.HTTPConnection(self.stack.url.removeprefix("http://"), timeout=60)
        self._headers = {"Authorization": f"Bearer {self.stack.tokens[self.role]}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request; its answer."""
        self._connection.request(method, f"/v1/{path}", None if body is None else json.dumps(body), self._headers)
        response = self._connection.getresponse()
        document: dict[str, Any] = json.load(response)
        assert response.status == 200, document
        return document

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@dataclass
class Watching:
    """A client, and when it began to say that it has which revision."""

    id: str
    namespace: str
    have: str | None = None
    view: str | None = None
    said: dict[int, float] = field(default_factory=dict)

    def sync(self, api: Api) -> None:
        """Say what it has, take what is new."""
        if self.have is not None:
            self.said.setdefault(int(self.have.partition(".")[0]), time.monotonic())
        client = {"id": self.id, "service": f"service-{self.id[-1]}", "host": "web-1", "pid": 7, "transport": "redis"}
        body = {"client": client, "env": "staging", "namespaces": [self.namespace, "global"]}
        answer = api.send("POST", "sync", {**body, "have": self.have, "view": self.view})
        self.have, self.view = answer["cursor"], answer["view"]


class Crowd:
    """All clients, on some threads with a connection each."""

    def __init__(self, stack: Stack, namespace: str) -> None:
        self.clients = [Watching(f"client-{number:03}", namespace) for number in range(WATCHERS)]
        self._stack = stack
        self._local = threading.local()
        self._apis: list[Api] = []
        self._threads = ThreadPoolExecutor(THREADS)

    def follow(self, clients: list[Watching], within_s: float) -> None:
        """Let some take what is new, and report it spread over some time; returns when all have."""
        start = time.monotonic()
        late_s = sorted(random.random() * within_s for _ in clients)
        list(self._threads.map(self._follow, clients, [start + each_s for each_s in late_s]))

    def sync(self) -> None:
        """One routine sync of each."""
        list(self._threads.map(lambda client: client.sync(self._api()), self.clients))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown()
        for api in self._apis:
            api.close()

    def _follow(self, client: Watching, at: float) -> None:
        client.sync(self._api())
        time.sleep(max(0.0, at - time.monotonic()))  # not for something: reports are to be spread
        client.sync(self._api())

    def _api(self) -> Api:
        if not hasattr(self._local, "api"):
            self._local.api = Api(self._stack, "service")
            self._apis.append(self._local.api)
        api: Api = self._local.api
        return api


@pytest.fixture
def ops(stack: Stack) -> Iterator[Api]:
    """An operator."""
    with closing(Api(stack, "ops")) as api:
        yield api


@pytest.fixture
def crowd(stack: Stack, ops: Api, namespace: str) -> Iterator[Crowd]:
    """Clients that have loaded, and are known."""
    with closing(Crowd(stack, namespace)) as crowd:
        crowd.follow(crowd.clients, 0)
        deadline = time.monotonic() + DEADLINE_S
        while len(ops.send("GET", f"envs/staging/watchers?namespace={namespace}")["items"]) < WATCHERS:
            assert time.monotonic() < deadline
        yield crowd


@contextmanager
def observed(stack: Stack, revision: int) -> Iterator[list[tuple[dict[str, Any], float]]]:
    """Ask again and again how far a release has come; the answers, with the moment of each."""
    answers: list[tuple[dict[str, Any], float]] = []
    ended = threading.Event()

    def ask() -> None:
        with closing(Api(stack, "viewer")) as api:
            while not ended.wait(0.1):
                answers.append((convergence(api, revision), time.monotonic()))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


def convergence(api: Api, revision: int, wait_s: int = 0) -> dict[str, Any]:
    """How far a release has come."""
    return api.send("GET", f"envs/staging/releases/{revision}/convergence?wait={wait_s}")


def until_applied(api: Api, revision: int, count: int) -> dict[str, Any]:
    """Ask until so many have it; fail if that is not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while (answer := convergence(api, revision))["applied"] < count:
        assert time.monotonic() < deadline, answer["applied"]
    return answer


def test_true_while_many_converge(stack: Stack, ops: Api, crowd: Crowd, namespace: str) -> None:
    """No answer on the way counts a client that has not said so; the last one missing is named; then it is a yes."""
    path = f"namespaces/{namespace}/envs/staging/config/rate"
    sleeper, *rest = crowd.clients
    for value in range(RELEASES):
        revision = ops.send("PUT", path, {"value": value, "type": "int"})["revision"]
        with observed(stack, revision) as answers:
            crowd.follow(rest, REPORT_WITHIN_S)
            answer = until_applied(ops, revision, WATCHERS - 1)
        assert (answer["watchers"], answer["converged"]) == (WATCHERS, False)
        assert [one["client_id"] for one in answer["laggards"]] == [sleeper.id]
        assert answer["times"]["p50_s"] <= answer["times"]["p99_s"]
        assert answer["times"]["all_s"] is None
        crowd.follow([sleeper], 0)
        whole = convergence(ops, revision, wait_s=30)
        assert (whole["applied"], whole["converged"], whole["laggards"]) == (WATCHERS, True, [])
        assert whole["times"]["all_s"] >= answer["times"]["p99_s"]
        assert_true(answers, crowd, revision)
        print(f"release {revision}: {whole['times']}, {len(answers)} answers on the way")  # noqa: T201


def assert_true(answers: list[tuple[dict[str, Any], float]], crowd: Crowd, revision: int) -> None:
    """Whoever was counted had begun to say so; whoever was not is named; it only grows."""
    for answer, moment in answers:
        lagging = {one["client_id"] for one in answer["laggards"]}
        silent = {client.id for client in crowd.clients if client.said[revision] > moment}
        assert silent <= lagging
        assert (answer["watchers"], answer["applied"]) == (WATCHERS, WATCHERS - len(lagging))
        assert answer["lost"] == answer["rejected"] == []
    applied = [answer["applied"] for answer, _ in answers]
    assert applied == sorted(applied)


def test_what_reports_cost(stack: Stack, crowd: Crowd) -> None:
    """A routine sync updates one row in place, in a statement for many."""
    with psycopg.connect(stack.superuser_url, autocommit=True) as connection:

        def cost() -> tuple[int, int]:
            row = connection.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'config_watch'"
            ).fetchone()
            assert row is not None
            return (int(row[0]), int(row[1]))

        def settled() -> tuple[int, int]:
            """When the reports are written, and the statistics of those who wrote them."""
            seen = cost()
            while time.sleep(12) or (now := cost()) != seen:
                seen = now
            return now

        before = settled()
        started = time.monotonic()
        crowd.sync()
        took_s = time.monotonic() - started
        updated, hot = (now - then for now, then in zip(settled(), before, strict=True))
    print(  # noqa: T201
        f"{WATCHERS} syncs in {took_s:.1f} s: {updated} rows updated, {hot} of them within their page; "
        f"for a client and hour {HOUR_S // NEXT_SYNC_S} rows"
    )
    assert updated == WATCHERS
    assert hot > WATCHERS * 0.9
