"""The rules of access, without a service around them."""

import itertools

import pytest

from configsvc.domain.policy import ROLES, Access, Action, Grant, decide, matches, needed

PLACES = [("payments", "staging"), ("payments", None), (None, "staging"), (None, None)]


def everywhere(role: str) -> Grant:
    """A grant without bounds."""
    return Grant(role, "*", None)


@pytest.mark.parametrize(
    ("action", "protected", "allowed"),
    [
        (Action.READ, False, {"viewer", "developer", "ops", "admin", "service"}),
        (Action.READ, True, {"viewer", "developer", "ops", "admin", "service"}),
        (Action.READ_SECRETS, True, {"service"}),
        (Action.DECLARE, False, {"developer", "ops", "admin"}),
        (Action.WRITE, False, {"developer", "ops", "admin"}),
        (Action.WRITE, True, {"ops", "admin"}),
        (Action.ADMINISTER, False, {"admin"}),
    ],
)
def test_each_role_may_what_the_design_says(action: Action, protected: bool, allowed: set[str]) -> None:
    """The whole table of roles and actions; who may not is forbidden, not hidden, because there is a grant."""
    for role in ROLES:
        decision = decide([everywhere(role)], action, "payments", "staging", protected)
        assert decision is (Access.ALLOWED if role in allowed else Access.FORBIDDEN), role
    assert set(needed(action, protected).split(" or ")) == allowed


def test_without_a_grant_there_everything_is_hidden() -> None:
    """No grant, one on another namespace, or one in another environment: as if the place did not exist."""
    for grants in ([], [Grant("ops", "search", None)], [Grant("ops", "*", frozenset({"production"}))]):
        for action in (Action.READ, Action.DECLARE, Action.WRITE):
            assert decide(grants, action, "payments", "staging") is Access.HIDDEN


def test_an_unknown_role_may_nothing() -> None:
    """A role from a later version gives no rights, and no error."""
    assert decide([everywhere("wizard")], Action.READ, "payments", "staging") is Access.FORBIDDEN
    assert decide([everywhere("wizard")], Action.ADMINISTER) is Access.FORBIDDEN


def test_the_best_of_several_grants_counts_and_only_where_it_holds() -> None:
    """A small grant takes nothing away from a greater one, and a greater one elsewhere adds nothing here."""
    grants = [everywhere("viewer"), Grant("ops", "payments", frozenset({"production"}))]
    assert decide(grants, Action.WRITE, "payments", "production", True) is Access.ALLOWED
    assert decide(grants, Action.WRITE, "payments", "staging") is Access.FORBIDDEN
    assert decide(grants, Action.WRITE, "search", "production", True) is Access.FORBIDDEN


def test_administration_takes_an_unbounded_admin() -> None:
    """Bounded admins, however many, are not one whole admin; nothing about administration is hidden."""
    bounded = [Grant("admin", "p*", None), Grant("admin", "*", frozenset({"staging"})), everywhere("ops")]
    assert decide(bounded, Action.ADMINISTER) is Access.FORBIDDEN
    assert decide([], Action.ADMINISTER) is Access.FORBIDDEN
    assert decide([*bounded, everywhere("admin")], Action.ADMINISTER) is Access.ALLOWED


def test_one_more_grant_never_takes_a_right_away() -> None:
    """Whatever is granted besides: what was allowed stays allowed, and what was seen stays seen."""
    grants = [
        Grant(role, pattern, envs)
        for role in ROLES
        for pattern in ("*", "payments", "pay*", "search")
        for envs in (None, frozenset({"staging"}), frozenset[str]())
    ]
    order = [Access.HIDDEN, Access.FORBIDDEN, Access.ALLOWED]
    for one, other in itertools.product(grants, grants):
        for action, (namespace, env), protected in itertools.product(Action, PLACES, (False, True)):
            alone = decide([one], action, namespace, env, protected)
            both = decide([one, other], action, namespace, env, protected)
            assert order.index(both) >= order.index(alone)


@pytest.mark.parametrize(
    ("pattern", "namespace", "expected"),
    [
        ("payments", "payments", True),
        ("payments", "payments2", False),
        ("payments", "payment", False),
        ("pay*", "payments", True),
        ("pay*", "pay", True),
        ("pay*", "search", False),
        ("*", "anything.at-all", True),
        ("", "payments", False),
        ("p.y", "pay", False),
        ("*ments", "payments", False),
        ("p*y*", "p*yments", True),
    ],
)
def test_a_pattern_is_a_name_or_a_beginning(pattern: str, namespace: str, expected: bool) -> None:
    """Only a star at the end is special; nothing is a regular expression."""
    assert matches(pattern, namespace) is expected


def test_no_environments_is_not_all_environments() -> None:
    """An empty set of environments covers none; only None covers all."""
    assert not Grant("ops", "*", frozenset()).covers("payments", "staging")
    assert Grant("ops", "*", None).covers("payments", "staging")
    assert Grant("ops", "*", frozenset({"staging"})).covers("payments", None)
