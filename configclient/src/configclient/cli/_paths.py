"""Where things are: names → paths of the HTTP API. PURE: no I/O."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, urlencode

Query = Mapping[str, str | int | None]

ENVS = "/v1/envs"
NAMESPACES = "/v1/namespaces"
ME = "/v1/me"
REQUESTS = "/v1/requests"
AUDIT = "/v1/audit"
TOKENS = "/v1/tokens"
GRANTS = "/v1/grants"


def config_path(env: str, namespace: str, key: str | None = None) -> str:
    """The path of a scope's settings, or of one of them."""
    path = f"{scope_path(env, namespace)}/config"
    return path if key is None else f"{path}/{quote(key)}"


def scope_path(env: str, namespace: str) -> str:
    """The path of a namespace in an environment."""
    return f"{NAMESPACES}/{quote(namespace)}/envs/{quote(env)}"


def key_path(namespace: str, key: str) -> str:
    """The path of a key's declaration."""
    return f"{keys_path(namespace)}/{quote(key)}"


def keys_path(namespace: str) -> str:
    """The path of a namespace's declared keys."""
    return f"{NAMESPACES}/{quote(namespace)}/keys"


def request_path(number: str, step: str = "") -> str:
    """The path of a change request, or of a step that it takes: reviews, withdraw, apply."""
    return f"{REQUESTS}/{quote(number)}{f'/{step}' if step else ''}"


def env_of_request_url(url: str) -> str:
    """The environment that is meant by where its requests are opened: ``…/v1/envs/production/requests``."""
    return unquote(url.rstrip("/").split("/")[-2])


def reveal_path(env: str, namespace: str, key: str) -> str:
    """The path of a secret, for people."""
    return f"{config_path(env, namespace, key)}/reveal"


def token_path(token_id: str) -> str:
    """The path of a token."""
    return f"{TOKENS}/{quote(token_id)}"


def grant_path(grant_id: int) -> str:
    """The path of a grant."""
    return f"{GRANTS}/{grant_id}"


def env_path(env: str) -> str:
    """The path of an environment."""
    return f"{ENVS}/{quote(env)}"


def watchers_path(env: str) -> str:
    """The path of an environment's live clients."""
    return f"{env_path(env)}/watchers"


def convergence_path(env: str, revision: int, wait_s: int) -> str:
    """The path of how far a release has come, asked with a wait."""
    return with_query(f"{releases_path(env, revision)}/convergence", {"wait": wait_s})


def releases_path(env: str, revision: int | None = None) -> str:
    """The path of an environment's releases, or of one of them."""
    path = f"{env_path(env)}/releases"
    return path if revision is None else f"{path}/{revision}"


def diff_path(env: str, namespace: str, start: int, end: int | None) -> str:
    """The path of what differs in a scope between two revisions; ``end`` None is the newest."""
    return with_query(f"{scope_path(env, namespace)}/diff", {"from": start, "to": end})


def compare_path(namespace: str, envs: Sequence[str]) -> str:
    """The path of a namespace in several environments beside each other."""
    return with_query(f"{NAMESPACES}/{quote(namespace)}/compare", {"envs": ",".join(envs)})


def with_query(path: str, query: Query) -> str:
    """``path`` with the parameters that are not None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
