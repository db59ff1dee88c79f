"""A whole running configsvc for end-to-end tests: servers, web workers and relay under their supervisor."""

import json
import secrets
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from configsvc.dev.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that all tests of a module share; who breaks a part of it mends it again."""
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def new_namespace(stack: Stack) -> Callable[[], str]:
    """Makes namespaces that no other test of the module uses."""

    def make() -> str:
        name = f"test-{secrets.token_hex(4)}"
        request = urllib.request.Request(
            f"{stack.url}/v1/namespaces",
            json.dumps({"name": name, "description": "of one test"}).encode(),
            {"Authorization": f"Bearer {stack.tokens['admin']}", "Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=5).close()
        return name

    return make


@pytest.fixture
def namespace(new_namespace: Callable[[], str]) -> str:
    """One such namespace."""
    return new_namespace()
