"""Keepers of key-encryption keys."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.crypto.arenas import Arena, LocalArena, MovingArena, TransitArena, kms_arena, transit_arena


@pytest.fixture(scope="session")
def kms_client() -> Iterator[Any]:
    """An administrator's client of moto's KMS. By itself moto's server listens on all addresses."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test")
    yield session.client("kms", "eu-central-1", endpoint_url=f"http://{host}:{port}")
    server.stop()


@pytest.fixture(params=["local", "moving", "aws-kms", "vault-transit"])
def arena(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arena]:
    """Each provider in turn, with keys of its own."""
    match request.param:
        case "local":
            yield LocalArena(tmp_path)
        case "moving":
            yield MovingArena(tmp_path)
        case "aws-kms":
            with kms_arena(request.getfixturevalue("kms_client"), monkeypatch, f"alias/test-{uuid4()}") as kms:
                yield kms
        case _:
            with transit_arena(tmp_path) as transit:
                yield transit


@pytest.fixture
def transit(tmp_path: Path) -> Iterator[TransitArena]:
    """Vault's transit engine alone."""
    with transit_arena(tmp_path) as arena:
        yield arena
