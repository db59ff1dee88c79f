"""Who may do what, where (DESIGN.md §8). Pure: grants in, decision out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

ROLES = ("viewer", "developer", "ops", "admin", "service")


class Action(Enum):
    """What a caller wants. The table below says which roles may."""

    READ = "read settings"
    READ_SECRETS = "read secrets in bulk"
    REVEAL = "reveal secrets one by one"
    DECLARE = "declare keys"
    WRITE = "change settings"
    PROPOSE = "propose changes"
    APPROVE = "review changes"
    BREAK_GLASS = "change settings without a review"
    UNCOVER = "turn secrets into plain settings"
    ADMINISTER = "administer"


class Access(Enum):
    """The decision. What is hidden is answered like what is not there."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    HIDDEN = "hidden"


@dataclass(frozen=True)
class Grant:
    """A role, in the namespaces that a pattern names, in some environments (None: in all)."""

    role: str
    namespaces: str
    envs: frozenset[str] | None

    def covers(self, namespace: str | None, env: str | None) -> bool:
        """Tell whether the grant is about this place; None stands for any."""
        return (namespace is None or matches(self.namespaces, namespace)) and (
            env is None or self.envs is None or env in self.envs
        )


#: Roles by action; a developer's WRITE ends at protected environments.
_MAY: dict[Action, frozenset[str]] = {
    Action.READ: frozenset(ROLES),
    Action.READ_SECRETS: frozenset({"service"}),
    Action.REVEAL: frozenset({"ops", "admin"}),
    Action.DECLARE: frozenset({"developer", "ops", "admin"}),
    Action.WRITE: frozenset({"developer", "ops", "admin"}),
    Action.PROPOSE: frozenset({"developer", "ops", "admin"}),
    Action.APPROVE: frozenset({"ops", "admin"}),
    Action.BREAK_GLASS: frozenset({"ops", "admin"}),
    Action.UNCOVER: frozenset({"ops", "admin"}),
    Action.ADMINISTER: frozenset({"admin"}),
}
_WRITE_PROTECTED = frozenset({"ops", "admin"})


def matches(pattern: str, namespace: str) -> bool:
    """Tell whether ``pattern`` (a name, or a beginning with ``*`` at its end) names ``namespace``."""
    if pattern.endswith("*"):
        return namespace.startswith(pattern[:-1])
    return namespace == pattern


def decide(
    grants: Sequence[Grant],
    action: Action,
    namespace: str | None = None,
    env: str | None = None,
    protected: bool = False,
) -> Access:
    """Decide about one action in one place.

    ``namespace`` or ``env`` None: the action is not about one of them, and a grant anywhere counts. Administration is
    about the whole service, so it needs a grant on everything.
    """
    if action is Action.ADMINISTER:
        whole = any(grant.role == "admin" and grant.namespaces == "*" and grant.envs is None for grant in grants)
        return Access.ALLOWED if whole else Access.FORBIDDEN
    roles = {grant.role for grant in grants if grant.covers(namespace, env)}
    if not roles:
        return Access.HIDDEN
    may = _WRITE_PROTECTED if action is Action.WRITE and protected else _MAY[action]
    return Access.ALLOWED if roles & may else Access.FORBIDDEN


def needed(action: Action, protected: bool) -> str:
    """Say in words which role an action takes."""
    may = _WRITE_PROTECTED if action is Action.WRITE and protected else _MAY[action]
    return " or ".join(role for role in ROLES if role in may)
