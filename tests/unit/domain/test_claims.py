"""What claims say in our words."""

from typing import Any

import pytest

from configsvc.domain import claims
from configsvc.domain.policy import Grant

MAY = {"a": frozenset({Grant("viewer", "*", None)}), "b": frozenset({Grant("ops", "pay*", None)})}


@pytest.mark.parametrize(
    ("said", "claim", "roles"),
    [
        ({"groups": ["a", "b", "c"]}, "groups", {"viewer", "ops"}),
        ({"groups": "b"}, "groups", {"ops"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"viewer"}),
        ({"https://x.example/roles": ["a"]}, "https://x.example/roles", {"viewer"}),
        ({"realm_access": ["a"]}, "realm_access.roles", set()),
        ({"groups": [["a"], 1, None]}, "groups", set()),
        ({}, "groups", set()),
    ],
)
def test_what_one_may_is_all_that_the_claim_gives(said: dict[str, Any], claim: str, roles: set[str]) -> None:
    """One value or several, a claim by its whole name or by a path; what is unknown gives nothing."""
    assert {grant.role for grant in claims.grants(said, claim, MAY)} == roles


def test_an_address_that_nobody_verified_is_no_name() -> None:
    """Whoever typed it need not be who has it."""
    assert claims.name({"email": "a@b.example", "email_verified": True}, "email") == "a@b.example"
    with pytest.raises(ValueError, match="has not verified"):
        claims.name({"email": "a@b.example", "email_verified": False}, "email")
