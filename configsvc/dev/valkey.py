"""The embedded Valkey: memory only, one account for the service, one for clients that may only listen."""

import hashlib
import socket
from dataclasses import dataclass, field
from pathlib import Path

from configsvc.dev import binaries, ports, unprivileged
from configsvc.dev.process import Program

#: All that redis-py sends on a connection that subscribes; nothing that reads or writes.
_LISTENER_COMMANDS = "+subscribe +unsubscribe +ping +hello +auth +quit +reset +client|setinfo +client|setname"
_PROBE_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class ValkeyServer:
    """A Valkey on a port of the loopback address, with the passwords of its two accounts."""

    port: int
    password: str = field(repr=False)
    push_password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The account that may use all commands and channels."""
        return f"redis://configsvc:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    @property
    def push_url(self) -> str:
        """The account that may only subscribe to configsvc's channels."""
        return f"redis://configclient:{self.push_password}@{ports.LOOPBACK}:{self.port}/0"

    def program(self) -> Program:
        """How to run it. The accounts come by standard input, so that no argument shows them."""
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
user configsvc on #{_sha256(self.password)} ~* &* +@all
user configclient on #{_sha256(self.push_password)} resetkeys resetchannels &config:* -@all {_LISTENER_COMMANDS}
"""

    def _answers(self) -> bool:
        # Two lines by hand are quicker to start with than the client library.
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), _PROBE_TIMEOUT_S) as connection:
                connection.sendall(f"AUTH configsvc {self.password}\r\nPING\r\n".encode())
                return connection.makefile("rb").read(len(b"+OK\r\n+PONG\r\n")) == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
