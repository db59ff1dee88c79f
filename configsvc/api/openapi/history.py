"""The shapes of answers about the past, and about what differs."""

from typing import Annotated, Literal

from pydantic import Field

from configsvc.api.models import EnvName, KeyName, NamespaceName, Type
from configsvc.api.openapi.answers import SecretSet, ValueSet, ValueUnset, Written
from configsvc.api.openapi.leaves import (
    Answer,
    Cursor,
    Fingerprint,
    Kind,
    Moment,
    Remark,
    RequestId,
    Revision,
    Service,
    Value,
    Version,
    Who,
)


class VersionState(Answer):
    """One side of a difference."""

    version: Version
    value: Value


class SecretState(Answer):
    """One side of a secret's difference; in a dry run without a fingerprint."""

    version: Version
    secret: Literal[True]
    fingerprint: Fingerprint = Field(default_factory=str)


class KeyDifference(Answer):
    """A key on both sides of a difference; null where it has no value."""

    key: KeyName
    type: Type
    from_: VersionState | SecretState | None = Field(alias="from", examples=[{"version": 7, "value": 100}])
    to: VersionState | SecretState | None


class NamespacedDifference(KeyDifference):
    """A difference that a dry run foresees."""

    namespace: NamespaceName


class ComparedScope(Answer):
    """One side of a comparison; revision and cursor are those of the last release that touched the scope."""

    env: EnvName
    revision: Revision
    cursor: Cursor


class ComparedKey(Answer):
    """A declared key in each environment; null where it has no value."""

    key: KeyName
    type: Type
    secret: bool
    same: Annotated[
        bool | None,
        Field(description="whether it is the same in all; null: a secret, and the caller may not write all of them"),
    ]
    envs: Annotated[
        dict[str, VersionState | SecretState | None],
        Field(
            description="by environment",
            examples=[{"staging": {"version": 9, "value": 120}, "production": {"version": 7, "value": 100}}],
        ),
    ]


class Comparison(Answer):
    """A namespace's keys in several environments."""

    namespace: NamespaceName
    envs: list[ComparedScope]
    keys: list[ComparedKey]


class Affected(Answer):
    """Who would see a change: live clients, and the services they belong to."""

    count: Annotated[int, Field(ge=0, examples=[4])]
    services: list[Service]


class Preview(Written):
    """What a write would do: the answer of a dry run, which wrote nothing."""

    diff: list[NamespacedDifference]
    review_required: bool
    watchers: Affected


class ByRequest(Answer):
    """The release is a request that others approved."""

    request: RequestId
    author: Who
    approved_by: list[Who]


class ByBreakingGlass(Answer):
    """The release was made without the review that the environment requires."""

    break_glass: Annotated[str, Field(description="why", examples=["INC-4711: payments are down"])]


ByLeave = Annotated[
    ByRequest | ByBreakingGlass | None, Field(description="by what leave a protected environment was written")
]


class AnyVersionOfKey(Answer):
    """One version of a key in one environment."""

    version: Version
    revision: Revision
    type: Type
    active: Annotated[bool, Field(examples=[True])]
    deleted: bool
    changed_by: Who
    kind: Kind
    note: Remark
    review: ByLeave
    created_at: Moment


class VersionOfKey(AnyVersionOfKey):
    """One version of a key in one environment; a delete is one too, its value is null."""

    value: Value


class VersionOfSecret(AnyVersionOfKey):
    """One version of a secret."""

    secret: Literal[True]
    fingerprint: Fingerprint


class Release(Answer):
    """One release, with the namespaces that the caller may read."""

    revision: Revision
    cursor: Cursor
    kind: Kind
    note: Remark
    namespaces: list[NamespaceName]
    changed_by: Who
    review: ByLeave
    created_at: Moment


class ReleaseInFull(Release):
    """One release, with its changes."""

    env: EnvName
    changes: list[ValueSet | SecretSet | ValueUnset]


class Difference(Answer):
    """What differs in a scope between two revisions."""

    namespace: NamespaceName
    env: EnvName
    from_: Revision = Field(alias="from", examples=[45])
    to: Revision
    changes: list[KeyDifference]
