"""Where a request comes from, as the audit writes it: behind proxies that are ours, what they say; else the peer."""

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

#: What some proxies add: 203.0.113.7:51234, [2001:db8::7]:51234, [2001:db8::7].
_WITH_PORT = re.compile(r"\[(?P<v6>[^]]+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")
_ADDRESSES_MAX = 4_096


def trust(app: Flask, proxies: int) -> None:
    """Take the caller's address from ``X-Forwarded-For``, as the outermost of so many proxies wrote it.

    Likewise the scheme from ``X-Forwarded-Proto``, as the nearest wrote it: over https the pages' cookie is for https
    alone. Nothing else that they forward is used: no answer of ours depends on host or prefix.
    """
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=1)  # type: ignore[method-assign]


def of(environ: Mapping[str, Any]) -> str:
    """Return the caller's address without a port, "" where there is none (a Unix socket)."""
    peer = environ.get("werkzeug.proxy_fix.orig", environ).get("REMOTE_ADDR")
    return _plain(environ.get("REMOTE_ADDR") or "") or _plain(peer or "")


@lru_cache(_ADDRESSES_MAX)
def _plain(text: str) -> str:
    """Return an address in its usual form, "" for anything else: a proxy may write "unknown"."""
    with_port = _WITH_PORT.fullmatch(text)
    bare, _, _zone = (with_port["v6"] or with_port["v4"] if with_port else text).partition("%")
    try:
        address = ip_address(bare)
    except ValueError:
        return ""
    # Where one socket listens for both kinds, an IPv4 peer comes as ::ffff:203.0.113.7.
    return str(getattr(address, "ipv4_mapped", None) or address)
