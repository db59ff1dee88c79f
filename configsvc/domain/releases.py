"""The changes that make a release, before anything is known about what is there."""

from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain import names
from configsvc.errors import ValidationFailed


@dataclass(frozen=True)
class Edit:
    """One wanted change. ``field`` is where the request said it, for error messages."""

    namespace: str
    key: str
    value: object = None
    delete: bool = False
    field: str = ""

    def at(self, part: str) -> str:
        """Return the path of a part of this edit in the request."""
        return f"{self.field}.{part}" if self.field else part


def check(edits: Sequence[Edit]) -> None:
    """Raise ValidationFailed unless there are edits, each of a possible key, and no key twice."""
    if not edits:
        raise ValidationFailed([("changes", "must hold at least one change")])
    seen: set[tuple[str, str]] = set()
    for edit in edits:
        names.check_namespace(edit.namespace, edit.at("namespace"))
        names.check_key(edit.key, edit.at("key"))
        if (edit.namespace, edit.key) in seen:
            raise ValidationFailed([(edit.at("key"), f"{edit.namespace}/{edit.key} stands twice in one release")])
        seen.add((edit.namespace, edit.key))
