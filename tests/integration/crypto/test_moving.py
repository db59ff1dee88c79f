"""Keys move from one keeper to another one, while services run."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from configsvc.app import close, create_app
from configsvc.crypto.datakeys import DataKeys
from configsvc.crypto.providers import local, open_provider
from configsvc.errors import CannotOpen
from configsvc.service import samples
from configsvc.service.rotation import Rotation
from configsvc.settings import Settings
from configsvc.store.audit import Origin
from configsvc.store.database import Database
from tests.integration.api.conftest import Caller
from tests.integration.crypto.arenas import Arena, LocalArena, kms_arena, transit_arena

CONTEXT = {"namespace": "payments", "env": "production", "data_key": "7", "purpose": "secret"}
ENVS = ("development", "staging", "canary")
Make = Callable[..., "Service"]


class Service:
    """A service with these keepers, asked by two roles."""

    def __init__(self, settings: Settings, tokens: dict[str, str], keys: str, other: str | None) -> None:
        self.app = create_app(settings.model_copy(update={"keys": keys, "other_keys": other}))
        self._admin, self._reader = (Caller(self.app, tokens[role]) for role in ("admin", "service"))

    def declare(self) -> None:
        """Declare a secret, and an environment more."""
        assert self._admin.post("/v1/envs", {"name": "canary"}).status_code == 201
        key = {"key": "password", "type": "string", "secret": True}
        assert self._admin.post("/v1/namespaces/payments/keys", key).status_code == 201

    def write(self, env: str) -> None:
        """Set it; the first time, that makes data keys."""
        answer = self._admin.put(f"/v1/namespaces/payments/envs/{env}/config/password", {"value": f"of {env}"})
        assert answer.status_code == 200, answer.text

    def read(self, env: str) -> Any:
        """What an application gets: the value, or the status of a refusal."""
        answer = self._reader.get(f"/v1/namespaces/payments/envs/{env}/config/password")
        return answer.json["value"] if answer.status_code == 200 else answer.status_code


@pytest.fixture
def service(settings: Settings) -> Iterator[Make]:
    """Makes services on one database."""
    tokens = dict(samples.ensure(settings.database_url, None))
    made: list[Service] = []

    def make(keys: str, other: str | None = None) -> Service:
        made.append(Service(settings, tokens, keys, other))
        return made[-1]

    yield make
    for each in made:
        close(each.app)


@pytest.fixture
def arenas(tmp_path: Path, kms_client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Arena]]:
    """One keeper of each kind."""
    with (
        transit_arena(tmp_path) as transit,
        kms_arena(kms_client, monkeypatch, f"alias/test-{uuid4()}") as kms,
    ):
        yield [LocalArena(tmp_path), transit, kms]


def test_keys_move_from_keeper_to_keeper_and_back(arenas: list[Arena], settings: Settings, service: Make) -> None:
    """Both are known everywhere, then change places, then data keys are rewrapped: all is read all the time."""
    service(arenas[0].address).declare()
    for env, (old, new) in zip(ENVS, itertools.pairwise([*arenas, arenas[0]]), strict=True):
        written = ENVS[: ENVS.index(env) + 1]
        before = service(old.address, new.address)
        after = service(new.address, old.address)
        after.write(env)
        for running in (before, after):
            assert [running.read(each) for each in written] == [f"of {each}" for each in written]
        assert service(old.address).read(env) == 503, "why both have to be known first"

        database = Database(settings.database_url)
        rotation = Rotation(
            database, DataKeys(open_provider(new.address, old.address)), Origin("operator:test", "", "")
        )
        done = rotation.rewrap()
        assert (done.keys, done.faults) == (2 * len(written) - 2, set())
        assert all(under.current for under in rotation.status())
        database.close()
        for running in (before, after, service(new.address)):
            assert [running.read(each) for each in written] == [f"of {each}" for each in written]


def test_what_neither_has_is_named_by_both(tmp_path: Path) -> None:
    """The error has the words of both keepers, and nothing is made up."""
    for name in ("present", "other", "lost"):
        local.create(tmp_path / f"{name}.json")
    present, other, lost = (f"file:{tmp_path}/{name}.json" for name in ("present", "other", "lost"))
    wrapped = open_provider(lost).wrap(os.urandom(32), CONTEXT)
    moving = open_provider(present, other)
    for call in (moving.unwrap, moving.rewrap):
        with pytest.raises(CannotOpen, match=rf"{wrapped.kek_id} is not in .*present.json.* is not in .*other.json"):
            call(wrapped, CONTEXT)
