"""What differs between environments, and how to make one like another. Pure: what keys are there in, edits out.

Whether two secrets are the same is told to some callers only. So a text that is None is one that must not be compared.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from configsvc.domain.releases import Edit
from configsvc.errors import ValidationFailed


@dataclass(frozen=True)
class Setting:
    """What a key is in one environment: its canonical JSON text, and whether that is a secret."""

    text: str | None = field(repr=False)
    secret: bool = False


@dataclass(frozen=True)
class Promoted:
    """A change that takes a key's value from another environment, as it is there now or was at ``revision``."""

    namespace: str
    key: str
    env: str
    revision: int | None = None
    field: str = ""


def same(settings: Sequence[Setting | None]) -> bool | None:
    """Tell whether a key is the same everywhere (None: unset); None is what the caller may not know."""
    there = [setting for setting in settings if setting is not None]
    if len(there) < len(settings):
        return not there
    texts = {setting.text for setting in there}
    return None if None in texts else len(texts) == 1


def wanted(
    source: Collection[str], target: Collection[str], keys: Sequence[str] | None, prune: bool, env: str
) -> set[str]:
    """Return the names of the keys that a promotion is about: of those that are set in the source and the target.

    ``keys`` None: all of the source; with ``prune`` what only the target has, too. ``env`` names the source.

    Raises:
        ValidationFailed: a key that is named has no value in the source, and without ``prune`` that is a slip.
    """
    there = {*source, *target} if prune else {*source}
    if keys is None:
        return there
    if not prune and (missing := [(number, key) for number, key in enumerate(keys) if key not in there]):
        raise ValidationFailed(
            [(f"keys[{number}]", f'{key} has no value in {env}; "prune": true unsets it') for number, key in missing]
        )
    return there & {*keys}


def promotion(
    namespace: str, source: Mapping[str, Setting], target: Mapping[str, Setting], unset: Collection[str]
) -> list[Edit]:
    """Plan to make the target's keys what they are in the source, and to unset some.

    What is known to be the same is left alone.
    """
    other = [key for key, setting in source.items() if same([setting, target.get(key)]) is not True]
    return [promoted(namespace, key, source.get(key)) for key in sorted([*other, *unset])]


def promoted(namespace: str, key: str, setting: Setting | None, at: str = "") -> Edit:
    """Return the edit that makes a key what it is elsewhere; ``at``: where the request said so."""
    where = at or f"{namespace}/{key}"
    if setting is None:
        return Edit(namespace, key, delete=True, field=where)
    assert setting.text is not None  # whoever may move a secret has had it opened
    return Edit(namespace, key, json.loads(setting.text), field=where, concealed=setting.secret)
