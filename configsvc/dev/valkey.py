"""The embedded Valkey: memory only, with one account that may do everything. The relay adds those of the clients."""

import hashlib
import socket
from dataclasses import dataclass, field
from pathlib import Path

from configsvc.dev import binaries, ports, unprivileged
from configsvc.dev.process import Program

_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class ValkeyServer:
    """A Valkey on a port of the loopback address, with the password of its own account."""

    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The account that may use all commands and channels."""
        return f"redis://configsvc:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    @property
    def push_url(self) -> str:
        """The accounts of clients, one per environment (``domain/push_accounts.py``)."""
        return f"redis://client-{{env}}:{{password}}@{ports.LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        """How to run it. The account comes by standard input, so that no argument shows it."""
        program = binaries.valkey_server()
        drop = unprivileged.drop(program)
        return Program(
            *("valkey", [str(program), "-"], self._answers),
            drop=drop.prefix,
            stdin=self._config().encode(),
            cwd=Path("/"),
        )

    def _config(self) -> str:
        return f"""
bind {ports.LOOPBACK}
port {self.port}
save ""
appendonly no
user default off
user configsvc on #{hashlib.sha256(self.password.encode()).hexdigest()} ~* &* +@all
"""

    def _answers(self) -> bool:
        # Two lines by hand are quicker to start with than the client library.
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), _PROBE_TIMEOUT_S) as connection:
                connection.sendall(f"AUTH configsvc {self.password}\r\nPING\r\n".encode())
                return connection.makefile("rb").read(len(b"+OK\r\n+PONG\r\n")) == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False
