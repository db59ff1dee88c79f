"""Three configsvc behind a balancer, on whatever Postgres and Redis a test brings: what `Arena` takes for a stack.

with Supervisor(folder, print) as supervisor:
    postgres, valkey = one_postgres(supervisor, folder), one_valkey(supervisor)
    with Fleet(supervisor, folder, postgres, valkey) as fleet, Arena(fleet, folder) as arena:
        fleet.part("web-1").kill()
"""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from configsvc.crypto import signing
from configsvc.dev import programs
from configsvc.dev.part import Part
from configsvc.dev.ports import free_port
from configsvc.dev.postgres import PostgresServer, set_password
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from configsvc.service import samples
from configsvc.settings import Settings
from configsvc.store.migrate import migrate
from tests.chaos.balancer import Balancer

_DATABASE = "configsvc"
_SERVICE_ROLE = "configsvc_service"


@dataclass(frozen=True)
class Redis:
    """Its address for the service, and the template of clients' accounts. The first may do everything."""

    url: str
    push_url: str


def start_postgres(supervisor: Supervisor, folder: Path) -> str:
    """Start a Postgres of its own; returns a superuser's address."""
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(8))
    supervisor.start(server.program())
    return server.url()


def start_valkey(supervisor: Supervisor) -> Redis:
    """Start a Valkey of its own."""
    server = ValkeyServer(free_port(), secrets.token_hex(8))
    supervisor.start(server.program())
    return Redis(server.url, server.push_url)


class Fleet:
    """Parts ``web-1`` to ``web-3``, ``relay-1`` to ``relay-3``, and whatever else the supervisor has.

    Args:
        supervisor: of all parts.
        folder: for the signing key.
        superuser_url: of Postgres; several hosts are fine.
        redis: where to publish and to listen.
        size: how many configsvc there are.
    """

    def __init__(self, supervisor: Supervisor, folder: Path, superuser_url: str, redis: Redis, size: int = 3) -> None:
        self._supervisor = supervisor
        password = secrets.token_hex(8)
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_DATABASE}")
        self.superuser_url = make_conninfo(superuser_url, dbname=_DATABASE)
        migrate(self.superuser_url)
        set_password(self.superuser_url, _SERVICE_ROLE, password)
        self.database_url = make_conninfo(self.superuser_url, user=_SERVICE_ROLE, password=password)
        self.tokens = samples.ensure(self.database_url, None)
        signing.generate(folder / "signing-key.pem")
        settings = Settings(
            database_url=self.database_url,
            redis_url=redis.url,
            push_redis_url=redis.push_url,
            redis_admin_url=redis.url,
            signing_key_file=folder / "signing-key.pem",
            workers=1,
        )
        self._ports = {number: free_port() for number in range(1, size + 1)}
        for number, port in self._ports.items():
            mine = settings.model_copy(update={"port": port})
            web = replace(programs.web(mine), name=f"web-{number}")
            relay = replace(programs.relay(mine, number), name=f"relay-{number}")
            supervisor.start(web, relay)
        self._balancer = Balancer(list(self._ports.values()))
        self.url = self._balancer.url

    def part(self, name: str) -> Part:
        """One part, to look at, stop, kill or freeze."""
        return self._supervisor.part(name)

    @property
    def numbers(self) -> list[int]:
        """Of all configsvc."""
        return list(self._ports)

    @contextlib.contextmanager
    def taken_out(self, number: int) -> Iterator[None]:
        """Inside, the balancer takes no new connection to this one."""
        self._balancer.take_out(self._ports[number])
        yield
        self._balancer.put_in(self._ports[number])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._balancer.__exit__(kind, error, trace)
