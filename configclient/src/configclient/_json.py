"""JSON in, read-only Python out.

One value is shared by every reader of a snapshot, so nobody may change it: objects and arrays become subclasses of
`dict` and `list` that compare, iterate and serialise like plain ones, copy and pickle to plain ones, and refuse to be
modified.
"""

import json
from typing import Any, Final, NoReturn


def _refuse(_: object, *args: object, **kwargs: object) -> NoReturn:  # noqa: ARG001 - any call is refused
    raise TypeError("configuration values are read-only: change a copy (copy.deepcopy gives plain dicts and lists)")


class ReadOnlyDict(dict[str, Any]):
    """A JSON object that cannot be changed. Equal to the plain dict; `copy`, `deepcopy` and pickle give a plain one."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


class ReadOnlyList(list[Any]):
    """A JSON array that cannot be changed. Equal to the plain list; `copy`, `deepcopy` and pickle give a plain one."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __reduce__(self) -> tuple[type[list[Any]], tuple[list[Any]]]:
        return list, (list(self),)


def freeze(value: Any) -> Any:
    """The same JSON value with every object and array read-only."""
    if isinstance(value, dict):
        return ReadOnlyDict({name: freeze(item) for name, item in value.items()})
    if isinstance(value, list):
        return ReadOnlyList([freeze(item) for item in value])
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)  # `json.loads` would make one for each message


def loads(text: bytes) -> Any:
    """Parse UTF-8 JSON. Raises ValueError for anything that is not, NaN, Infinity and absurd depth included."""
    try:
        return _DECODER.decode(text.decode("utf-8"))
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
