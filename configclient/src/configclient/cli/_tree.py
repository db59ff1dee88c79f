"""Settings as code: the texts of a directory → what it says shall be. PURE: no I/O.

docs/settings-as-code.md describes the files. Every mistake is found, not only the first, and named by file and line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from configclient.cli._errors import CliError, Exit
from configclient.cli._names import ENVIRONMENT, KEY, NAMESPACE, Name
from configclient.cli._values import TYPES, Invalid, check, fits

if TYPE_CHECKING:
    from configclient.cli._yaml import Path

# Says which environments the directory is about; every other file is a namespace, by its name.
ROOT_FILE = "configctl.yaml"
SUFFIX = ".yaml"
ERRORS_SHOWN_MAX = 20


@dataclass(frozen=True)
class Key:
    """What a key shall be, and its values by environment."""

    type: str
    description: str = ""
    schema: Any = None
    secret: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Namespace:
    """What a namespace shall be."""

    description: str = ""
    keys: Mapping[str, Key] = field(default_factory=dict)


@dataclass(frozen=True)
class Tree:
    """What a directory says: which environments it is about, and the namespaces by name."""

    environments: tuple[str, ...]
    namespaces: Mapping[str, Namespace]


def read_tree(files: Mapping[str, str]) -> Tree:
    """What these files say, by their names. Raises :class:`CliError` that names every mistake by file and line."""
    if ROOT_FILE not in files:
        raise CliError(f"{ROOT_FILE} is missing: write `environments: [development, …]` into it", Exit.INVALID)
    errors: list[str] = []
    root = _File(ROOT_FILE, files[ROOT_FILE], errors)
    environments = root.names(("environments",), ENVIRONMENT)
    root.only((), {"environments"})
    namespaces = {}
    for file in sorted(files.keys() - {ROOT_FILE}):
        name = file.removesuffix(SUFFIX)
        if not NAMESPACE.fits(name):
            errors.append(f"{file}: {name!r} is no name for a namespace")
            continue
        namespaces[name] = _namespace(_File(file, files[file], errors), environments)
    if errors:
        more = [f"and {len(errors) - ERRORS_SHOWN_MAX} more"] if len(errors) > ERRORS_SHOWN_MAX else []
        raise CliError("; ".join(errors[:ERRORS_SHOWN_MAX] + more), Exit.INVALID)
    return Tree(environments, namespaces)


def _namespace(file: _File, environments: tuple[str, ...]) -> Namespace:
    file.only((), {"description", "keys"})
    keys = {}
    for name in file.map(("keys",)):
        if KEY.fits(name):
            keys[name] = _key(file, ("keys", name), environments)
        else:
            file.error(("keys", name), f"{name!r} is no name for a key")
    return Namespace(file.text(("description",)), keys)


def _key(file: _File, path: Path, environments: tuple[str, ...]) -> Key:
    file.only(path, {"type", "description", "schema", "secret", "values"})
    type_ = file.get((*path, "type"))
    if type_ not in TYPES:
        file.error((*path, "type"), f"type must be {' or '.join(TYPES)}")
    secret = file.get((*path, "secret"), False)
    if not isinstance(secret, bool):
        file.error((*path, "secret"), "secret must be true or false")
    schema = file.get((*path, "schema"))
    if not isinstance(schema, dict | bool | None):
        file.error((*path, "schema"), "schema must be a map, true or false")
    values = file.map((*path, "values"))
    if secret and values:
        file.error((*path, "values"), "a secret's values do not belong into files: take them out")
    for env, value in values.items():
        _check_value(file, (*path, "values", env), value, str(type_), env in environments)
    return Key(str(type_), file.text((*path, "description")), schema, bool(secret), values)


def _check_value(file: _File, path: Path, value: Any, type_: str, known: bool) -> None:
    if not known:
        file.error(path, f"{path[-1]} is not among the environments of {ROOT_FILE}")
    try:
        check(value)
    except Invalid as error:
        file.error(path, str(error))
        return
    if type_ in TYPES and not fits(value, type_):
        file.error(path, f"the value for {path[-1]} is not of type {type_}")


class _File:
    """One YAML file; what it does not say has a default, what it says wrongly becomes an error with its line."""

    def __init__(self, name: str, text: str, errors: list[str]) -> None:
        from configclient.cli import _yaml

        self._name = name
        self._errors = errors
        self._lines: Mapping[Path, int] = {}
        self._content: Any = {}
        try:
            content, self._lines = _yaml.load(text)
        except _yaml.NotYaml as error:
            errors.append(f"{name}: {error}")
            return
        self._content = {} if content is None else content

    def get(self, path: Path, default: Any = None) -> Any:
        """What stands there."""
        value = self._content
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return default if value is None else value

    def text(self, path: Path) -> str:
        """The text that stands there, by default an empty one."""
        value = self.get(path, "")
        if not isinstance(value, str):
            self.error(path, f"{path[-1]} must be text")
        return str(value)

    def map(self, path: Path) -> dict[str, Any]:
        """The map that stands there, by default an empty one."""
        value = self.get(path, {})
        if isinstance(value, dict):
            return value
        self.error(path, f"{path[-1] if path else 'the file'} must be a map")
        return {}

    def names(self, path: Path, kind: Name) -> tuple[str, ...]:
        """The list of names that stands there."""
        value = self.get(path)
        if not isinstance(value, list) or not value or not all(isinstance(x, str) and kind.fits(x) for x in value):
            self.error(path, f"{path[-1]} must be a list of names")
            return ()
        return tuple(dict.fromkeys(value))

    def only(self, path: Path, known: set[str]) -> None:
        """Anything else there is an error."""
        for name in self.map(path).keys() - known:
            self.error((*path, name), f"{name!r} is unknown here; there may be {', '.join(sorted(known))}")

    def error(self, path: Path, message: str) -> None:
        """A mistake at this place, or at the nearest one around it that has a line."""
        while path and path not in self._lines:
            path = path[:-1]
        self._errors.append(f"{self._name}:{self._lines.get(path, 1)}: {message}")
