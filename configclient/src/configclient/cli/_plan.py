"""What a scope is, and what it shall be → the steps between them. PURE: no I/O."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from configclient.cli._errors import CliError, Exit
from configclient.cli._names import KEY
from configclient.cli._values import Invalid, check, fits, infer, parse, type_of

# The service's bounds; what is beyond them is refused here with the numbers, before anything is written.
VALUE_BYTES_MAX = 256 * 1024
SCOPE_KEYS_MAX = 10_000
CHANGES_MAX = 10_000
# Of one request, less room for the note.
BODY_BYTES_MAX = 1024 * 1024 - 16 * 1024

Item = TypeVar("Item")


class Kind(Enum):
    """What a step does; its value is the word that people see."""

    NEW = "new"
    SET = "set"
    CHANGE = "change"
    UNSET = "unset"
    SAME = "same"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Scope:
    """A namespace in one environment as it is: its cursor, declarations by key, and entries by key."""

    namespace: str
    cursor: str = ""
    keys: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What happens to one key. ``old``: its entry, None while it has no value; ``reason``: of a conflict.

    ``secret``: its value is shown to nobody.
    """

    kind: Kind
    namespace: str
    key: str
    type: str = ""
    value: Any = None
    old: Mapping[str, Any] | None = None
    reason: str = ""
    secret: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The step for programs."""
        where = {"action": self.kind.value, "namespace": self.namespace, "key": self.key, "type": self.type}
        if self.reason:
            return where | {"reason": self.reason}
        return where | ({"secret": True} if self.secret else {"value": self.value})

    def change(self) -> dict[str, Any]:
        """The change as a release has it."""
        what = {"delete": True} if self.kind is Kind.UNSET else {"value": self.value}
        return {"namespace": self.namespace, "key": self.key, **what}

    def declaration(self) -> dict[str, Any]:
        """The key as it is declared."""
        return {"key": self.key, "type": self.type, "secret": self.secret}


def flatten(document: Mapping[str, Any], scope: Scope, *, nested: bool, prefix: str = "") -> dict[str, Any]:
    """A file's values by key: the names on the way to each, with dots between.

    A map stays one value where it is empty, where a key of its name is declared as json, or where ``nested`` says so.
    Raises :class:`CliError` where two ways lead to one key.
    """
    values: dict[str, Any] = {}
    for name, value in document.items():
        key = f"{prefix}{name}"
        declared = scope.keys.get(key)
        whole = nested or not value or (declared is not None and declared["type"] == "json")
        below = {key: value}
        if isinstance(value, Mapping) and not whole:
            below = flatten(value, scope, nested=nested, prefix=f"{key}.")
        if twice := values.keys() & below.keys():
            raise CliError(f"{min(twice)} stands in the file twice, in two ways", Exit.INVALID)
        values |= below
    return values


def plan(
    scope: Scope,
    values: Mapping[str, Any],
    *,
    typed: bool,
    strings: bool = False,
    secret: Callable[[str], bool] = lambda _: False,
) -> list[Step]:
    """The step of each value, in the order of the keys.

    ``typed``: the values have kinds; otherwise they are texts, which a declared key's type explains, and for a new key
    :func:`infer`, or with ``strings`` nothing: they stay text. ``secret``: which keys are said to be secrets.
    """
    return [_step(scope, key, values[key], typed, strings, secret(key)) for key in sorted(values)]


def _step(scope: Scope, key: str, raw: Any, typed: bool, strings: bool, secret: bool) -> Step:
    declared, old = scope.keys.get(key), scope.values.get(key)
    if not KEY.fits(key):
        reason = f"is no name for a key: rename it in the file{', or see --nested' if typed and '.' in key else ''}"
        return Step(Kind.CONFLICT, scope.namespace, key, reason=reason)
    if declared is None:
        value = raw if typed or strings or secret else infer(raw)  # a password of digits is no number
        return _checked(Step(Kind.NEW, scope.namespace, key, type_of(value), value, secret=secret))
    type_ = str(declared["type"])
    if secret != declared["secret"]:
        reason = (
            "is declared, and not as a secret" if secret else "is a secret: only `set` and `import --secret` set it"
        )
        return Step(Kind.CONFLICT, scope.namespace, key, type_, reason=reason)
    try:
        value = raw if typed else parse(raw, type_)
    except CliError:
        value = raw
    if not fits(value, type_):
        reason = f"is declared as {type_}, and the file has {_article(type_of(value))}"
        return Step(Kind.CONFLICT, scope.namespace, key, type_, value, old, reason)
    if old is None:
        return _checked(Step(Kind.SET, scope.namespace, key, type_, value, old, secret=secret))
    # Nobody can tell whether a secret is the same.
    kind = Kind.SAME if not secret and same(old.get("value"), value, type_) else Kind.CHANGE
    return _checked(Step(kind, scope.namespace, key, type_, value, old, secret=secret))


def _checked(step: Step) -> Step:
    try:
        check(step.value)
    except Invalid as error:
        return Step(Kind.CONFLICT, step.namespace, step.key, step.type, None, step.old, str(error))
    size = len(_text(step.value).encode())
    if size <= VALUE_BYTES_MAX:
        return step
    reason = f"is {size} bytes long; the limit for one value is {VALUE_BYTES_MAX}"
    return Step(Kind.CONFLICT, step.namespace, step.key, step.type, None, step.old, reason)


def unset(scope: Scope, keys: Iterable[str]) -> list[Step]:
    """The steps that take the values of ``keys`` away."""
    return [
        Step(Kind.UNSET, scope.namespace, key, str(scope.values[key]["type"]), None, scope.values[key])
        for key in sorted(keys)
    ]


def same(one: Any, other: Any, type_: str) -> bool:
    """Tells whether the service would keep the two as one value of ``type_``: 5 and 5.0 are, of a float only."""
    if type_ == "float" and fits(one, type_) and fits(other, type_):
        one, other = float(one), float(other)
    return _text(one) == _text(other)


def changes(steps: Iterable[Step]) -> list[Step]:
    """The steps that change something."""
    return [step for step in steps if step.kind not in (Kind.SAME, Kind.CONFLICT)]


def check_room(scope: Scope, steps: Iterable[Step]) -> None:
    """Raises :class:`CliError` where the scope would have more keys than it can."""
    count = len(scope.values) + sum(step.old is None for step in changes(steps) if step.namespace == scope.namespace)
    if count > SCOPE_KEYS_MAX:
        raise CliError(f"{scope.namespace} would have {count} keys; the limit is {SCOPE_KEYS_MAX}", Exit.INVALID)


def parts(steps: Sequence[Step]) -> list[list[Step]]:
    """The steps in as few groups as one release each can carry."""
    return bodies(steps, Step.change)


def bodies(items: Sequence[Item], document: Callable[[Item], Any]) -> list[list[Item]]:
    """The items in as few groups as one request each can carry; ``document``: how an item is sent."""
    groups: list[list[Item]] = []
    left = 0
    for item in items:
        size = _size(document(item))
        if size > left or len(groups[-1]) == CHANGES_MAX:
            groups.append([])
            left = BODY_BYTES_MAX
        groups[-1].append(item)
        left -= size
    return groups


def size_of(steps: Iterable[Step]) -> int:
    """The bytes of these changes, as they are sent."""
    return sum(_size(step.change()) for step in steps)


def _size(document: Any) -> int:
    # With what stands between two.
    return len(json.dumps(document, ensure_ascii=False).encode()) + 2


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _article(type_: str) -> str:
    return f"an {type_}" if type_ == "int" else f"a {type_}"
