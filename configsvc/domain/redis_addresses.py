"""Addresses that name more than one Redis.

redis://user:password@a:6379,b:6379/0                     nodes of a cluster: what one is told to publish, all tell
redis+sentinel://user:password@a:26379,b:26379/main/0     sentinels, and the name by which they know the master
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

_SENTINEL = "+sentinel"
_SENTINEL_PORT = 26379
_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")


@dataclass(frozen=True)
class Master:
    """A server that sentinels know by its name. ``url``: its address without a host, as ``redis://user:pw@/0``."""

    sentinels: tuple[tuple[str, int], ...]
    name: str
    url: str = field(repr=False)


def is_one(url: str) -> bool:
    """Tell whether it is the address of one server, of several nodes, or of sentinels."""
    try:
        parts = urlsplit(url)
        named = [urlsplit(node) for node in _each_host(url)]
        master(url)
        ports = [node.port for node in named]
    except ValueError:
        return False
    return (
        parts.scheme in _SCHEMES
        and 0 not in ports
        and (len(named) == 1 or all(node.hostname for node in named))
        # Else a part of the password was taken for a path, which errors and logs do name.
        and "@" not in f"{parts.path}{parts.query}{parts.fragment}"
    )


def nodes(url: str) -> list[str]:
    """Return an address for each server that an address names. Sentinels name one: the master."""
    return [url] if urlsplit(url).scheme.endswith(_SENTINEL) else _each_host(url)


def master(url: str) -> Master | None:
    """Return what an address of sentinels says, None for another one.

    Raises:
        ValueError: a host or the master's name is missing, or the database is no number.
    """
    parts = urlsplit(url)
    if not parts.scheme.endswith(_SENTINEL):
        return None
    name, _, database = parts.path.strip("/").partition("/")
    hosts = [(node.hostname, node.port) for node in map(urlsplit, _each_host(url))]
    if not name or not (database or "0").isdecimal() or not all(host for host, _ in hosts):
        raise ValueError("it looks like redis+sentinel://user:password@a:26379,b:26379/main/0")
    account, at, _ = parts.netloc.rpartition("@")
    server = parts._replace(scheme=parts.scheme.removesuffix(_SENTINEL), netloc=f"{account}{at}", path=f"/{database}")
    return Master(tuple((host or "", port or _SENTINEL_PORT) for host, port in hosts), name, urlunsplit(server))


def _each_host(url: str) -> list[str]:
    parts = urlsplit(url)
    account, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{account}{at}{host}")) for host in hosts.split(",")]
