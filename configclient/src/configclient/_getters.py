"""The getters, written once for the client and for a snapshot. This is the hot path: one dict look-up, no lock.

`_table` is the one reference that a writer swaps. `_has_pins` is False unless somebody somewhere is inside `pinned()`;
only then a call looks into its context.
"""

import logging
from typing import Any, Final, NoReturn, TypeVar

from ._table import ABSENT, MISSING, NEVER_PICKLED, Entry, Missing, Table
from .errors import MissingKey, SecretUnavailable, WrongType

log = logging.getLogger("configclient")

T = TypeVar("T")

WARNINGS_MAX: Final = 1000  # distinct (namespace, key, type) that are warned about: a bound for code that makes up keys

# Any object that no caller can hold would do.
_NO_DEFAULT: Final[Any] = MISSING


class Rules:
    """What one client and all its snapshots share: whether it is strict, and what it has warned about already."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self._warned: dict[tuple[str, str, str], object] = {}

    def warn_once(self, namespace: str, key: str, wanted: str, declared: str) -> None:
        mark = object()
        # One step for all threads: whoever's mark is stored is the one who warns.
        if len(self._warned) < WARNINGS_MAX and self._warned.setdefault((namespace, key, wanted), mark) is mark:
            log.warning("%s/%s is declared %s, not %s: the default is used", namespace, key, declared, wanted)


class Getters:
    """Reading by (namespace, key). A key without a value here, deleted or never set, is *missing*.

    The typed getters go by the type the key was declared with, strictly: a bool is no int, an int is no float, and
    nothing inside a `json` key is either. Read as another type, a key gives the default, and one warning in the log.

    On a strict client, a typed getter raises MissingKey for a missing key and WrongType for another type, whatever the
    default. `get` without a default raises MissingKey too; `get` with one is the way to ask for an optional key.

    A secret that is set but not known here raises SecretUnavailable, on every client, unless a default is given: an
    empty password would be found out too late. On a strict client it is raised wherever MissingKey would be.

    JSON objects and arrays are read-only: equal to plain dicts and lists, but changing one raises TypeError.
    """

    __slots__ = ("_has_pins", "_rules", "_table")

    _table: Table
    _has_pins: bool
    _rules: Rules

    def get(self, namespace: str, key: str, default: Any = _NO_DEFAULT) -> Any:
        """The value of any type, or `default` (None) when the key is missing.

        Without a default it raises SecretUnavailable, and, on a strict client, MissingKey.
        """
        if self._has_pins:
            return self._pinned().get(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value = entry.value
        if value is not MISSING:
            return value
        if default is not _NO_DEFAULT:
            return default
        return self._nothing(entry, namespace, key, default)

    def get_str(self, namespace: str, key: str, default: str = _NO_DEFAULT) -> str:
        """The value of a key declared `string`, or `default` (`""`). Raises SecretUnavailable; strict: all."""
        if self._has_pins:
            return self._pinned().get_str(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value: str | Missing = entry.value
        if value is not MISSING and entry.type == "string":
            return value
        return self._fallback(entry, namespace, key, "string", default, "")

    def get_int(self, namespace: str, key: str, default: int = _NO_DEFAULT) -> int:
        """The value of a key declared `int`, or `default` (`0`). Raises SecretUnavailable; strict: all."""
        if self._has_pins:
            return self._pinned().get_int(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value: int | Missing = entry.value
        if value is not MISSING and entry.type == "int":
            return value
        return self._fallback(entry, namespace, key, "int", default, 0)

    def get_float(self, namespace: str, key: str, default: float = _NO_DEFAULT) -> float:
        """The value of a key declared `float`, or `default` (`0.0`). Raises SecretUnavailable; strict: all."""
        if self._has_pins:
            return self._pinned().get_float(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value: float | Missing = entry.value
        if value is not MISSING and entry.type == "float":
            return value
        return self._fallback(entry, namespace, key, "float", default, 0.0)

    def get_bool(self, namespace: str, key: str, default: bool = _NO_DEFAULT) -> bool:
        """The value of a key declared `bool`, or `default` (`False`). Raises SecretUnavailable; strict: all."""
        if self._has_pins:
            return self._pinned().get_bool(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value: bool | Missing = entry.value
        if value is not MISSING and entry.type == "bool":
            return value
        return self._fallback(entry, namespace, key, "bool", default, False)

    def get_json(self, namespace: str, key: str, default: Any = _NO_DEFAULT) -> Any:
        """The value of a key declared `json`, read-only, or `default` (None). Raises SecretUnavailable; strict: all."""
        if self._has_pins:
            return self._pinned().get_json(namespace, key, default)
        entry = self._table.entries.get((namespace, key), ABSENT)
        value = entry.value
        if value is not MISSING and entry.type == "json":
            return value
        return self._fallback(entry, namespace, key, "json", default, None)

    def _pinned(self) -> "Snapshot":
        """Where this thread or task reads while there are pins."""
        return Snapshot(self._table, self._rules)

    def _nothing(self, entry: Entry, namespace: str, key: str, default: Any) -> None:
        if entry is not ABSENT and (self._rules.strict or default is _NO_DEFAULT):
            raise SecretUnavailable(f"{namespace}/{key} is a secret whose value is not known here")
        if self._rules.strict:
            raise MissingKey(f"{namespace}/{key} has no value at revision {self._table.revision}")

    def _fallback(self, entry: Entry, namespace: str, key: str, wanted: str, default: T, implied: T) -> T:
        """Off the hot path: a typed getter found nothing. Missing is silent, another type is said once."""
        if entry.value is MISSING:
            self._nothing(entry, namespace, key, default)
        elif self._rules.strict:
            raise WrongType(f"{namespace}/{key} is declared {entry.type}, not {wanted}")
        else:
            self._rules.warn_once(namespace, key, wanted, entry.type)
        return implied if default is _NO_DEFAULT else default


class Snapshot(Getters):
    """All values at one revision; never changes."""

    __slots__ = ()

    def __init__(self, table: Table, rules: Rules) -> None:
        self._table = table
        self._rules = rules
        self._has_pins = False

    @property
    def revision(self) -> int:
        """The environment's revision that this snapshot shows."""
        return self._table.revision

    def __reduce__(self) -> NoReturn:
        raise TypeError(NEVER_PICKLED)

    def __repr__(self) -> str:
        return f"<Snapshot revision={self.revision} keys={len(self._table.entries)}>"
