"""Free TCP ports of the loopback address."""

import random
import socket

LOOPBACK = "127.0.0.1"
#: Below the range from which systems take the ports of outgoing connections. In it, a server that is down for a moment
#: can lose its port to somebody's connection, and a client that retries can even connect to itself.
_FIRST, _LAST = 20_000, 31_999


def try_to_bind(host: str, port: int) -> None:
    """Raise OSError if no server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    try:
        try_to_bind(LOOPBACK, port)
    except OSError:
        return False
    return True


def free_port(preferred: int | None = None) -> int:
    """The preferred port if it is free, else any that is."""
    port = preferred
    while port is None or not is_free(port):
        port = random.randint(_FIRST, _LAST)  # noqa: S311  # no secret
    return port
