"""What a tree says shall be, and what is → what is different. PURE: no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from configclient.cli._plan import Kind, Scope, Step, plan, same, unset
from configclient.cli._tree import Key, Namespace, Tree


class Deed(Enum):
    """What happens to a namespace or a key; its value is the word that people see."""

    NEW = "new"
    CHANGE = "change"
    DELETE = "delete"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Declaration:
    """One step about a namespace (``key`` empty) or a key; ``body``: as the service takes it."""

    deed: Deed
    namespace: str
    key: str
    body: Mapping[str, Any]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The step for programs."""
        where = {"action": self.deed.value, "namespace": self.namespace} | ({"key": self.key} if self.key else {})
        return where | ({"reason": self.reason} if self.reason else {}) | ({"to": dict(self.body)} if self.body else {})


@dataclass(frozen=True)
class Present:
    """A namespace as it is: None where it is not there, and its scopes by environment."""

    exists: bool
    keys: Mapping[str, Mapping[str, Any]]
    scopes: Mapping[str, Scope]


@dataclass(frozen=True)
class Drift:
    """What is different. ``extra``: what is there and not in the tree, as (namespace, key, environment or "")."""

    declarations: Sequence[Declaration]
    steps: Mapping[str, Sequence[Step]]
    extra: Sequence[tuple[str, str, str]]

    def __bool__(self) -> bool:
        return bool(self.declarations) or any(self.steps.values())


def compare(tree: Tree, present: Mapping[str, Present], envs: Sequence[str], *, prune: bool) -> Drift:
    """What is different in these environments; with ``prune``, what is not in the tree goes. Secrets never do."""
    declarations: list[Declaration] = []
    steps: dict[str, list[Step]] = {env: [] for env in envs}
    extra: list[tuple[str, str, str]] = []
    for name, wanted in tree.namespaces.items():
        there = present[name]
        if not there.exists:
            declarations.append(Declaration(Deed.NEW, name, "", {"description": wanted.description}))
        declarations += _declarations(name, wanted, there)
        for env in envs:
            found, unwanted = _values(wanted, there.scopes[env], env)
            steps[env] += found
            steps[env] += unset(there.scopes[env], unwanted if prune else ())
            extra += [] if prune else [(name, key, env) for key in unwanted]
        unwanted_keys = [key for key, is_ in there.keys.items() if key not in wanted.keys and not is_["secret"]]
        deletes = [Declaration(Deed.DELETE, name, key, {}) for key in sorted(unwanted_keys)]
        declarations += deletes if prune else []
        extra += [] if prune else [(name, key, "") for key in sorted(unwanted_keys)]
    return Drift(declarations, steps, extra)


def _declarations(namespace: str, wanted: Namespace, there: Present) -> list[Declaration]:
    steps = []
    for name, key in sorted(wanted.keys.items()):
        body = {"description": key.description, "schema": key.schema}
        is_ = there.keys.get(name)
        if is_ is None:
            new = {"key": name, "type": key.type, "secret": key.secret, **body}
            steps.append(Declaration(Deed.NEW, namespace, name, new))
        elif reason := _contradiction(key, is_):
            steps.append(Declaration(Deed.CONFLICT, namespace, name, {}, reason))
        elif changed := {field: value for field, value in body.items() if not same(value, is_[field], "json")}:
            steps.append(Declaration(Deed.CHANGE, namespace, name, changed))
    return steps


def _contradiction(key: Key, is_: Mapping[str, Any]) -> str:
    if key.type != is_["type"]:
        return f"is declared as {is_['type']}, and the file says {key.type}; a type never changes"
    if key.secret != is_["secret"]:
        return "is a secret, and the file says it is not" if is_["secret"] else "is no secret, and the file says it is"
    return ""


def _values(wanted: Namespace, scope: Scope, env: str) -> tuple[list[Step], list[str]]:
    """The steps towards the values of one environment, and the keys that have one there and not in the tree."""
    declared = {
        name: {"type": key.type, "secret": key.secret}
        for name, key in wanted.keys.items()
        if name not in scope.keys or scope.keys[name]["type"] == key.type
    }
    values = {name: key.values[env] for name, key in wanted.keys.items() if env in key.values and name in declared}
    # As if its keys were declared: that is a step of its own.
    steps = plan(Scope(scope.namespace, scope.cursor, declared, scope.values), values, typed=True)
    unwanted = [key for key, entry in scope.values.items() if key not in values and not entry["secret"]]
    return [step for step in steps if step.kind is not Kind.SAME], sorted(unwanted)
