"""What a client is constructed with: checked once, in one place, with one clear sentence for each mistake."""

import math
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from .errors import InvalidSettings

_ENV: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,19}")
_NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_SERVICE: Final = re.compile(r"[!-~]{1,100}")
_TOKEN: Final = re.compile(r"[!-~]{1,500}")


@dataclass(frozen=True, slots=True)
class Settings:
    """Valid by construction: `read_settings` is the only maker. The token stays out of `repr`."""

    service: str
    env: str
    namespaces: tuple[str, ...]
    url: Url
    token: str = field(repr=False)
    poll_interval_s: float
    start_timeout_s: float
    push: bool
    ca_file: str | None
    cache_dir: Path | None


def read_settings(
    service: str,
    env: str,
    namespaces: Iterable[str],
    *,
    url: str | None,
    token: str | None,
    poll_interval_s: float,
    start_timeout_s: float,
    push: bool,
    ca_file: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None,
) -> Settings:
    """Check and complete them from the environment. Raises InvalidSettings."""
    return Settings(
        service=_matching("service", service, _SERVICE, "1 to 100 printable characters without spaces"),
        env=_matching("env", env, _ENV, "1 to 20 of a-z, 0-9, _ and -"),
        namespaces=_namespaces(namespaces),
        url=_url(url if url is not None else os.environ.get("CONFIGSVC_URL")),
        token=_token(token if token is not None else os.environ.get("CONFIGSVC_TOKEN")),
        poll_interval_s=_seconds("poll_interval_s", poll_interval_s),
        start_timeout_s=_seconds("start_timeout_s", start_timeout_s),
        push=push,
        ca_file=os.fspath(ca_file) if ca_file is not None else None,
        cache_dir=Path(cache_dir) if cache_dir is not None else None,
    )


def _matching(name: str, value: object, pattern: re.Pattern[str], rule: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidSettings(f"{name} must be {rule}, got {value!r:.60}")
    return value


def _namespaces(namespaces: Iterable[str]) -> tuple[str, ...]:
    if isinstance(namespaces, str):
        raise InvalidSettings(f"namespaces must be a list of names, got the single text {namespaces!r:.60}")
    names = tuple(dict.fromkeys(namespaces))
    if not names:
        raise InvalidSettings("namespaces must name at least one namespace")
    return tuple(_matching("a namespace", name, _NAMESPACE, "1 to 100 of a-z, 0-9, ., _ and -") for name in names)


def _url(text: str | None) -> Url:
    if not text:
        raise InvalidSettings("no service URL: set CONFIGSVC_URL or pass url=, for example http://127.0.0.1:8400")
    try:
        url = parse_url(text)
    except LocationParseError:
        url = Url()
    if url.scheme not in ("http", "https") or not url.host or url.auth or url.query or url.fragment:
        # Not echoed: somebody may have put a password into it.
        raise InvalidSettings("url (CONFIGSVC_URL) must look like https://host:port, without credentials or query")
    return url


def _token(text: object) -> str:
    if not text:
        raise InvalidSettings("no token: set CONFIGSVC_TOKEN or pass token=")
    if not isinstance(text, str) or not _TOKEN.fullmatch(text):
        raise InvalidSettings("token (CONFIGSVC_TOKEN) must be printable ASCII without spaces")
    return text


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise InvalidSettings(f"{name} must be a number of seconds above 0, got {value!r:.60}")
    return float(value)
