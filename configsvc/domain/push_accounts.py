"""The accounts in Redis by which clients listen: one per environment, which hears its channels and can do nothing else.

Their address is a template: ``redis://client-{env}:{password}@host:6379/0``. An address without placeholders is one
account for the clients of every environment.
"""

import re
from collections.abc import Iterable

from configsvc.domain import messages
from configsvc.domain.names import ENV

_ENV, _PASSWORD = "{env}", "{password}"
#: Nothing in it has to be escaped, in an address or in Redis' file of accounts.
_TEMPLATE = re.compile(
    r"(?P<scheme>rediss?(?:\+sentinel)?://|unix://)(?P<before>[\w.-]*)\{env\}(?P<after>[\w.-]*):\{password\}@(?P<rest>[^{}]*)",
    re.ASCII,
)
#: No more than a listener needs. AUTH, HELLO, RESET and QUIT are everybody's; CLIENT SETINFO, which libraries send
#: without insisting, is unknown to Redis 7.0, and naming it there would make the whole account fail.
_COMMANDS = ("-@all", "+subscribe", "+unsubscribe", "+ping")


def check_template(url: str) -> str:
    """Return an address for clients if its placeholders, if any, are right.

    Raises:
        ValueError: they are not; the message says what is, and repeats nothing of the address.
    """
    if not is_template(url):
        return url
    parts = _TEMPLATE.fullmatch(url)
    if parts is None:
        raise ValueError(
            "may hold {env} in the user's name (A-Z, a-z, 0-9, '_', '.', '-') together with {password} as the whole "
            "password, and no other braces: redis://client-{env}:{password}@host:6379/0"
        )
    if not parts["before"] and not parts["after"]:
        raise ValueError(
            "has to name its accounts by more than {env}, so that no environment's name is another account's: "
            "redis://client-{env}:{password}@host:6379/0"
        )
    return url


def is_template(url: str) -> bool:
    """Tell whether an address means one account per environment."""
    return "{" in url or "}" in url


def names(template: str, user: str) -> bool:
    """Tell whether an account of that name could be an environment's."""
    parts = _parts(template)
    own = re.escape(parts["before"]) + ENV.pattern + re.escape(parts["after"])
    return re.fullmatch(own, user) is not None


def account(template: str, env: str) -> str:
    """Return the name of an environment's account."""
    parts = _parts(template)
    return f"{parts['before']}{env}{parts['after']}"


def url(template: str, env: str, password: str) -> str:
    """Return the address that the clients of an environment get."""
    return template.replace(_ENV, env).replace(_PASSWORD, password)


def rules(env: str, password_hashes: Iterable[str]) -> list[str]:
    """Return what Redis (7 or later) or Valkey is told of an environment's account, by ACL SETUSER or in a file.

    It begins anew, so nothing of what the account was before stays: no older password, no other right. Who is connected
    stays so, and goes on hearing what the account may still hear.

    ``password_hashes``: SHA-256 in hexadecimal; each of these passwords is taken.
    """
    passwords = [f"#{password_hash}" for password_hash in password_hashes]
    channels = ["resetchannels", f"&{messages.part_channel('*', env)}", f"&{messages.header_channel(env)}"]
    return ["reset", "on", *passwords, *channels, *_COMMANDS]


def _parts(template: str) -> re.Match[str]:
    parts = _TEMPLATE.fullmatch(template)
    assert parts is not None
    return parts
