"""Push addresses that name more than one Redis (docs/protocol.md, "Where to listen"). Pure."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_SENTINEL: Final = "+sentinel"
_SENTINEL_PORT: Final = 26379


@dataclass(frozen=True)
class Master:
    """A server that sentinels know by its name. ``tls``: they and it are reached so."""

    sentinels: tuple[tuple[str, int], ...]
    name: str
    tls: bool
    _url: str = field(repr=False)

    def url(self, host: str, port: int) -> str:
        """Its address, when they have said where it is."""
        parts = urlsplit(self._url)
        where = f"[{host}]" if ":" in host else host
        return urlunsplit(parts._replace(netloc=f"{parts.netloc}{where}:{port}"))


def nodes(url: str) -> list[str]:
    """An address for each server that an address names. Sentinels name one: the master."""
    return [url] if urlsplit(url).scheme.endswith(_SENTINEL) else _each_host(url)


def master(url: str) -> Master | None:
    """What an address of sentinels says, None for another one. Raises ValueError where something is missing in it."""
    parts = urlsplit(url)
    if not parts.scheme.endswith(_SENTINEL):
        return None
    name, _, database = parts.path.strip("/").partition("/")
    hosts = [(node.hostname, node.port) for node in map(urlsplit, _each_host(url))]
    if not name or not (database or "0").isdecimal() or not all(host for host, _ in hosts):
        raise ValueError("no address of sentinels")
    account, at, _ = parts.netloc.rpartition("@")
    server = parts._replace(scheme=parts.scheme.removesuffix(_SENTINEL), netloc=f"{account}{at}", path=f"/{database}")
    known_at = tuple((host or "", port or _SENTINEL_PORT) for host, port in hosts)
    return Master(known_at, name, server.scheme == "rediss", urlunsplit(server))


def _each_host(url: str) -> list[str]:
    parts = urlsplit(url)
    account, at, hosts = parts.netloc.rpartition("@")
    if "," not in hosts:
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{account}{at}{host}")) for host in hosts.split(",")]
