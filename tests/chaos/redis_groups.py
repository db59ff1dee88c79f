"""Valkeys that belong together: a cluster, and a master with replicas and the sentinels that watch over them."""

import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from configsvc.dev import binaries, ports, unprivileged
from configsvc.dev.ports import free_port
from configsvc.dev.process import Program
from configsvc.dev.supervisor import Supervisor
from configsvc.dev.valkey import ValkeyServer
from tests.chaos.fleet import Redis

_DEADLINE_S = 20.0
_SLOTS = 16384
_MASTER = "main"
NUMBERS = (1, 2, 3)


@dataclass(frozen=True)
class _Member(ValkeyServer):
    """One of a group: with a name, a folder to write into, and ``extra`` lines of configuration."""

    name: str
    folder: Path
    extra: str

    def program(self) -> Program:
        drop = unprivileged.drop(binaries.valkey_server(), self.folder)
        config = f"{self._config()}dir {self.folder}\n{self.extra}"
        return replace(super().program(), name=self.name, drop=drop.prefix, stdin=config.encode())


def start_cluster(supervisor: Supervisor, folder: Path) -> Redis:
    """Start three nodes, ``valkey-1`` to ``valkey-3``, each with a third of the slots, that know each other."""
    password = secrets.token_hex(8)
    buses = {number: free_port() for number in NUMBERS}
    nodes = {}
    for number, bus in buses.items():
        name, extra = f"valkey-{number}", f"cluster-enabled yes\ncluster-port {bus}\n"
        nodes[number] = _Member(free_port(), password, name, _folder(folder / name), extra)
    supervisor.start(*(node.program() for node in nodes.values()))
    for number, node in nodes.items():
        with redis.Redis.from_url(node.url) as connection:
            first, last = (number - 1) * _SLOTS // 3, number * _SLOTS // 3 - 1
            connection.execute_command("CLUSTER ADDSLOTSRANGE", first, last)  # type: ignore[no-untyped-call]
            for other, met in nodes.items():
                connection.execute_command("CLUSTER MEET", ports.LOOPBACK, met.port, buses[other])  # type: ignore[no-untyped-call]
    for node in nodes.values():
        _until(lambda node=node: _is_whole(node), "the cluster is whole")  # type: ignore[misc]
    hosts = ",".join(f"{ports.LOOPBACK}:{node.port}" for node in nodes.values())
    return Redis(f"redis://configsvc:{password}@{hosts}/0", f"redis://client-{{env}}:{{password}}@{hosts}/0")


def _is_whole(node: ValkeyServer) -> bool:
    with redis.Redis.from_url(node.url) as connection:
        said = connection.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return bool(said["cluster_state"] == "ok" and said["cluster_known_nodes"] == said["cluster_size"] == "3")


class Sentinels:
    """``valkey-1`` is the master at first, ``valkey-2`` and ``valkey-3`` replicas; ``sentinel-1`` to ``-3`` watch."""

    def __init__(self, supervisor: Supervisor, folder: Path) -> None:
        password = secrets.token_hex(8)
        self._ports = {number: free_port() for number in NUMBERS}
        for number, port in self._ports.items():
            of_a_replica = "" if number == 1 else f"replicaof {ports.LOOPBACK} {self._ports[1]}\n"
            name, extra = f"valkey-{number}", f"masteruser configsvc\nmasterauth {password}\n{of_a_replica}"
            supervisor.start(_Member(port, password, name, _folder(folder / name), extra).program())
        self._asked = [free_port() for _ in NUMBERS]
        supervisor.start(
            *(
                _sentinel(folder, f"sentinel-{n}", port, self._ports[1], password)
                for n, port in zip(NUMBERS, self._asked, strict=True)
            )
        )
        _until(self._know_each_other, "all sentinels know all")
        hosts = ",".join(f"{ports.LOOPBACK}:{port}" for port in self._asked)
        self.redis = Redis(
            f"redis+sentinel://configsvc:{password}@{hosts}/{_MASTER}/0",
            f"redis+sentinel://client-{{env}}:{{password}}@{hosts}/{_MASTER}/0",
        )

    def master(self) -> int:
        """The number of the Valkey that the first sentinel takes for the master."""
        with redis.Redis(port=self._asked[0]) as asked:
            _, port = asked.sentinel_get_master_addr_by_name(_MASTER)  # type: ignore[no-untyped-call]
        return next(number for number, known in self._ports.items() if known == int(port))

    def _know_each_other(self) -> bool:
        for port in self._asked:
            with redis.Redis(port=port) as asked:
                state = asked.sentinel_master(_MASTER)  # type: ignore[no-untyped-call]
            if state["num-slaves"] < 2 or state["num-other-sentinels"] < 2:
                return False
        return True


def _sentinel(folder: Path, name: str, port: int, master_port: int, password: str) -> Program:
    program = binaries.valkey_server()
    drop = unprivileged.drop(program, folder)
    # A sentinel writes what it learns into its file.
    file = _folder(folder / name) / "sentinel.conf"
    file.write_text(
        f"bind {ports.LOOPBACK}\nport {port}\ndir {file.parent}\n"
        f"sentinel monitor {_MASTER} {ports.LOOPBACK} {master_port} 2\n"
        f"sentinel auth-user {_MASTER} configsvc\nsentinel auth-pass {_MASTER} {password}\n"
        f"sentinel down-after-milliseconds {_MASTER} 1000\nsentinel failover-timeout {_MASTER} 5000\n",
        "utf-8",
    )
    file.chmod(0o600)
    drop.own(file)

    def answers() -> bool:
        try:
            socket.create_connection((ports.LOOPBACK, port), 1).close()
        except OSError:
            return False
        return True

    return Program(name, [str(program), str(file), "--sentinel"], answers, drop=drop.prefix, cwd=Path("/"))


def _folder(path: Path) -> Path:
    """A folder that the server, whoever it runs as, can write into."""
    path.mkdir(mode=0o700)
    unprivileged.drop(path).own(path)
    return path


def _until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        pause.wait(0.05)
