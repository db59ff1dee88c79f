"""A real Postgres and a real Redis or Valkey for the tests: one of each per test process.

By default the embedded ones; ``CONFIGSVC_TEST_DATABASE_URL`` (a superuser's) and ``CONFIGSVC_TEST_REDIS_URL`` name
others (for ``pytest -n`` one Redis for each process, with spaces between), and ``CONFIGSVC_TEST_CONTAINERS=1`` takes
them from Docker.
"""

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import pytest

from configsvc.dev.ports import free_port
from configsvc.dev.postgres import PostgresServer
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer

#: Files here are in memory, where a system has it. A container often gives it less room than a server needs.
_MEMORY = Path("/dev/shm")
_MEMORY_FREE_MIN_BYTES = 4 << 30


@dataclass(frozen=True)
class RedisAccounts:
    """``url`` may use everything, ACL SETUSER included; ``push_url`` is the template of clients' accounts."""

    url: str = field(repr=False)

    @property
    def push_url(self) -> str:
        """By which a relay with ``url`` as admin sets up an account per environment."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://client-{{env}}:{{password}}@{parts.netloc.rpartition('@')[2]}{parts.path}"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL, to the database ``postgres``."""
    if url := os.environ.get("CONFIGSVC_TEST_DATABASE_URL"):
        yield url
    elif os.environ.get("CONFIGSVC_TEST_CONTAINERS"):
        yield from _postgres_container()
    else:
        # Losing a test's data in a power cut is fine, and syncing files takes longer than most tests.
        options = {"fsync": "off", "max_connections": "200", "max_wal_size": "256MB"}
        with TemporaryDirectory(prefix="configsvc-tests-", dir=_memory()) as folder:
            server = PostgresServer(Path(folder, "data"), free_port(), "test", options)
            with Supervisor(Path(folder), _fail_loudly("postgres")) as supervisor:
                supervisor.start(server.program())
                yield server.url()


@pytest.fixture(scope="session")
def redis_accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisAccounts]:
    """The accounts of a Redis or Valkey that only this test process uses, unless one was named."""
    if url := _named_redis():
        yield RedisAccounts(url)
    elif os.environ.get("CONFIGSVC_TEST_CONTAINERS"):
        yield from _redis_container()
    else:
        server = ValkeyServer(free_port(), "test")
        with Supervisor(tmp_path_factory.mktemp("valkey"), _fail_loudly("valkey")) as supervisor:
            supervisor.start(server.program())
            yield RedisAccounts(server.url)


@pytest.fixture
def redis_url(redis_accounts: RedisAccounts) -> str:
    """An account that may use all commands and channels."""
    return redis_accounts.url


@pytest.fixture
def push_redis_url(redis_accounts: RedisAccounts) -> str:
    """The template of the accounts that clients get."""
    return redis_accounts.push_url


def _memory() -> Path | None:
    """Where to keep files in memory: a database for each test is copied there in an eighth of the time."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _MEMORY_FREE_MIN_BYTES
    return _MEMORY if roomy else None


def _named_redis() -> str | None:
    """Return the one that is this process's: two would hear each other on one."""
    urls = os.environ.get("CONFIGSVC_TEST_REDIS_URL", "").split()
    if not urls:
        return None
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    assert process < len(urls), "CONFIGSVC_TEST_REDIS_URL: name a server for each process of pytest"
    return urls[process]


def _fail_loudly(name: str) -> Callable[[str], None]:
    def report(line: str) -> None:
        print(f"the tests' {name}: {line}")  # noqa: T201  # pytest shows it with the test that fails

    return report


def _needs_docker() -> None:
    # Docker's own library leaves sockets open when nobody answers; one named elsewhere has to be there.
    if os.environ.get("DOCKER_HOST"):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect("/var/run/docker.sock")
        except OSError as error:
            pytest.skip(f"CONFIGSVC_TEST_CONTAINERS is set, but Docker doesn't answer: {error.strerror}")


def _postgres_container() -> Iterator[str]:
    _needs_docker()
    from testcontainers.postgres import PostgresContainer

    with PostgresContainer("postgres:18-alpine", username="postgres", password="test", dbname="postgres") as container:
        yield container.get_connection_url(driver=None)


def _redis_container() -> Iterator[RedisAccounts]:
    _needs_docker()
    from testcontainers.redis import RedisContainer

    with RedisContainer("redis:7-alpine", password="test") as container:
        url = f"redis://:test@{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
        yield RedisAccounts(url)
