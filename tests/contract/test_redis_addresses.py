"""Service and client read the addresses of Redis alike."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from configclient import _redis_address
from configsvc.domain import redis_addresses

VECTORS = json.loads(Path(__file__).with_name("redis_addresses.json").read_text("utf-8"))


@pytest.mark.parametrize("vector", VECTORS["one"])
def test_nodes(vector: dict[str, Any]) -> None:
    """Each host has an address of its own, with the account and all else that they share."""
    url = vector["url"]
    assert redis_addresses.nodes(url) == _redis_address.nodes(url) == vector["nodes"]
    assert redis_addresses.master(url) is _redis_address.master(url) is None
    assert redis_addresses.is_one(url)


@pytest.mark.parametrize("vector", VECTORS["sentinels"])
def test_sentinels(vector: dict[str, Any]) -> None:
    """Sentinels are one address, of the master that they know by its name."""
    url = vector["url"]
    assert redis_addresses.nodes(url) == _redis_address.nodes(url) == [url]
    ours, theirs = redis_addresses.master(url), _redis_address.master(url)
    assert ours is not None
    assert theirs is not None
    assert [list(host) for host in ours.sentinels] == [list(host) for host in theirs.sentinels] == vector["sentinels"]
    assert ours.name == theirs.name == vector["name"]
    assert theirs.tls == (urlsplit(ours.url).scheme == "rediss") == vector["tls"]
    assert theirs.url("10.0.0.7", 6380) == vector["master"]
    assert redis_addresses.is_one(url)


@pytest.mark.parametrize("url", VECTORS["bad"])
def test_bad(url: str) -> None:
    """An address of sentinels without a host or a name, or with a database that is no number, is refused by both."""
    assert not redis_addresses.is_one(url)
    for master in (redis_addresses.master, _redis_address.master):
        with pytest.raises(ValueError, match=r"sentinel|Port"):
            master(url)
