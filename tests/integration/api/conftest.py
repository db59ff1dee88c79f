"""The real application on a real database, without a network in between."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from psycopg.conninfo import conninfo_to_dict
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from configsvc.app import close, create_app
from configsvc.service import samples, tokens
from configsvc.service.tokens import Wanted
from configsvc.settings import Settings
from configsvc.store.access import NewGrant
from tests.fix_database import Database
from tests.integration.api.proxy import Proxy

#: Of a write of a protected environment that no test of reviews is about.
BREAK_GLASS = {"break_glass": {"reason": "a test"}}


@dataclass(frozen=True)
class Caller:
    """Sends requests with one token; None sends none."""

    app: Flask
    token: str | None

    def send(self, method: str, path: str, body: object = None, **options: Any) -> TestResponse:
        """Send one request. A body of bytes goes as it is, anything else as JSON."""
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None:
            options["data"] = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.app.test_client().open(path, method=method, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """Send a GET."""
        return self.send("GET", path, **options)

    def put(self, path: str, body: object, **options: Any) -> TestResponse:
        """Send a PUT."""
        return self.send("PUT", path, body, **options)

    def post(self, path: str, body: object, **options: Any) -> TestResponse:
        """Send a POST."""
        return self.send("POST", path, body, **options)

    def patch(self, path: str, body: object, **options: Any) -> TestResponse:
        """Send a PATCH."""
        return self.send("PATCH", path, body, **options)

    def delete(self, path: str, body: object = None, **options: Any) -> TestResponse:
        """Send a DELETE."""
        return self.send("DELETE", path, body, **options)


def rules(app: Flask) -> list[Rule]:
    """The API's routes; those of the pages have tests of their own, in tests/integration/admin."""
    return [rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith("ui.")]


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The service, on a database with the sample namespaces and nothing else."""
    app = create_app(settings)
    yield app
    close(app)


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    """A door in front of this test's database."""
    address = conninfo_to_dict(database.service_url)
    with Proxy(str(address["host"]), int(address["port"] or 5432)) as door:
        yield door


@pytest.fixture
def role_tokens(settings: Settings) -> Mapping[str, str]:
    """A token for each role, in every namespace and environment."""
    return samples.ensure(settings.database_url, None)


@pytest.fixture
def caller(app: Flask, role_tokens: Mapping[str, str]) -> Callable[[str | None], Caller]:
    """Makes a caller from a role; None is a caller without a token."""
    return lambda role: Caller(app, None if role is None else role_tokens[role])


@pytest.fixture
def ops(caller: Callable[[str | None], Caller]) -> Caller:
    """A caller who may write every environment."""
    return caller("ops")


@pytest.fixture
def admin(caller: Callable[[str | None], Caller]) -> Caller:
    """A caller who may do everything but read secrets in bulk."""
    return caller("admin")


@pytest.fixture
def limited(app: Flask, settings: Settings, role_tokens: Mapping[str, str]) -> Callable[..., Caller]:
    """Makes a caller whose one grant covers only some namespaces and environments."""
    made: list[str] = []

    def make(role: str, namespaces: str = "*", envs: list[str] | None = None) -> Caller:
        made.append(f"limited-{len(made)}")
        wanted = Wanted(made[-1], [NewGrant(role, namespaces, envs)])
        token = tokens.create(settings.database_url, wanted, actor="the tests")
        return Caller(app, token)

    return make
