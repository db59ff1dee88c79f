"""Where things are: names → paths of the HTTP API. PURE: no I/O."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode

Query = Mapping[str, str | int | None]


def config_path(env: str, namespace: str, key: str | None = None) -> str:
    """The path of a scope's settings, or of one of them."""
    path = f"{scope_path(env, namespace)}/config"
    return path if key is None else f"{path}/{quote(key)}"


def scope_path(env: str, namespace: str) -> str:
    """The path of a namespace in an environment."""
    return f"/v1/namespaces/{quote(namespace)}/envs/{quote(env)}"


def key_path(namespace: str, key: str) -> str:
    """The path of a key's declaration."""
    return f"/v1/namespaces/{quote(namespace)}/keys/{quote(key)}"


def releases_path(env: str, revision: int | None = None) -> str:
    """The path of an environment's releases, or of one of them."""
    path = f"/v1/envs/{quote(env)}/releases"
    return path if revision is None else f"{path}/{revision}"


def diff_path(env: str, namespace: str, start: int, end: int | None) -> str:
    """The path of what differs in a scope between two revisions; ``end`` None is the newest."""
    return with_query(f"{scope_path(env, namespace)}/diff", {"from": start, "to": end})


def with_query(path: str, query: Query) -> str:
    """``path`` with the parameters that are not None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
