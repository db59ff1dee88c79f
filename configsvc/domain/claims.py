"""What an OpenID provider says about somebody, in our words: their name, and what they may do."""

import re
from collections.abc import Mapping
from typing import Any

from configsvc.domain import names, strict_json
from configsvc.domain.policy import ROLES, Grant
from configsvc.errors import Malformed

_FORM = '{"operators": [{"role": "admin"}], "shop": [{"role": "developer", "namespaces": "pay*", "envs": ["staging"]}]}'
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


def parse_grants(text: str) -> dict[str, frozenset[Grant]]:
    """Read what those who have a value in their claim may do.

    Raises:
        ValueError: it can't be read; the message says what would be.
    """
    try:
        read = strict_json.loads(text.encode())
    except Malformed as error:
        raise ValueError(f"is no JSON ({error.detail}); it looks like {_FORM}") from None
    if not isinstance(read, dict) or not read:
        raise ValueError(f"has to say what whom may do; it looks like {_FORM}")
    return {value: _grants(value, listed) for value, listed in read.items()}


def _grants(value: str, listed: object) -> frozenset[Grant]:
    if isinstance(listed, list):
        return frozenset(_grant(value, one) for one in listed)
    raise ValueError(f"has no list of grants under {value}; it looks like {_FORM}")


def _grant(value: str, given: object) -> Grant:
    if not isinstance(given, dict) or not given.keys() <= {"role", "namespaces", "envs"}:
        raise ValueError(f"has a grant under {value} that is none; it looks like {_FORM}")
    role, namespaces, envs = given.get("role"), given.get("namespaces", "*"), given.get("envs")
    if role not in ROLES:
        raise ValueError(f"has a grant under {value} whose role is none of {', '.join(ROLES)}")
    if not isinstance(namespaces, str) or not names.NAMESPACE_PATTERN.fullmatch(namespaces):
        raise ValueError(f"has a grant under {value} whose namespaces are not {names.NAMESPACE_PATTERN_RULE}")
    if envs is not None and not (isinstance(envs, list) and envs and all(map(_is_env, envs))):
        raise ValueError(f"has a grant under {value} whose envs are no list of environments; every one is without envs")
    return Grant(role, namespaces, None if envs is None else frozenset(envs))


def _is_env(name: object) -> bool:
    return isinstance(name, str) and names.ENV.fullmatch(name) is not None


def grants(claims: Mapping[str, Any], claim: str, may: Mapping[str, frozenset[Grant]]) -> frozenset[Grant]:
    """Return what somebody may do: all that the values of their claim give."""
    said = _said(claims, claim)
    values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return frozenset(grant for value in values if isinstance(value, str) for grant in may.get(value, ()))


def name(claims: Mapping[str, Any], claim: str) -> str:
    """Return what history calls somebody.

    Raises:
        ValueError: the provider says nothing that could be a name.
    """
    said = _said(claims, claim)
    if not isinstance(said, str) or not _NAME.fullmatch(said):
        raise ValueError(f"the claim {claim} holds no name of 1 to 100 characters")
    if claim == "email" and claims.get("email_verified") is False:
        raise ValueError("the provider has not verified the address in the claim email")
    return said


def _said(claims: Mapping[str, Any], claim: str) -> object:
    """Return a claim by its name, else by the path that its dots make, as Keycloak's ``realm_access.roles``."""
    if claim in claims:
        return claims[claim]
    found: object = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
