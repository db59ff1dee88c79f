"""The shapes of answers about the service, what is declared, what is set now, and what a write did.

Nothing is rendered through the shapes: they describe, and the tests hold real answers against them.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel

from configsvc.api.models import EnvName, KeyName, NamespaceName, Schema, Type
from configsvc.api.openapi.leaves import (
    Answer,
    Approvals,
    Cursor,
    Description,
    Fingerprint,
    Moment,
    Revision,
    Value,
    Version,
    Who,
)


class Alive(Answer):
    """The process answers."""

    status: Literal["ok"]


class Parts(Answer):
    """Each part in a word."""

    postgres: Annotated[
        Literal["ok", "slow", "down"],
        Field(description="`slow`: no answer within 0.8 s; the others are then as last known"),
    ]
    schema_: Annotated[
        Literal["ok", "behind", "ahead", "unknown"],
        Field(alias="schema", description="`behind`: run `configsvc migrate`; `ahead`: a newer configsvc has"),
    ]
    redis: Literal["ok", "down"]
    relay: Annotated[
        Literal["ok", "late", "none", "unknown"],
        Field(description="`late`: a release has waited for over 5 s to be published; `none`: no relay leads"),
    ]


class Ready(Answer):
    """The process can serve."""

    status: Annotated[
        Literal["ready", "degraded"], Field(description="`degraded`: changes may not be pushed, and clients poll")
    ]
    parts: Parts
    unpublished_s: Annotated[
        float, Field(description="the age of the oldest release that no relay has published", examples=[0.0])
    ]


class Metrics(RootModel[str]):
    """Text in Prometheus' format, of the environments that the caller may read. docs/operations.md has the names."""

    root: Annotated[str, Field(examples=["configsvc_relay_leading 1.0\n"])]


class Document(BaseModel):
    """This document."""

    openapi: Annotated[str, Field(examples=["3.1.0"])]
    info: Annotated[dict[str, Any], Field(examples=[{"title": "configsvc", "version": "0.1.0"}])]
    paths: Annotated[dict[str, Any], Field(examples=[{}])]


class Namespace(Answer):
    """Who owns settings."""

    name: NamespaceName
    description: Annotated[str, Field(examples=["What the payments team owns"])]
    created_by: Who
    created_at: Moment


class Environment(Answer):
    """Where settings apply, and where its counter stands."""

    name: EnvName
    description: Annotated[str, Field(examples=["Like production, for rehearsals"])]
    review_required: Annotated[bool, Field(description="protected")]
    approvals: Approvals
    revision: Revision


class Key(Answer):
    """A declared key."""

    namespace: NamespaceName
    key: KeyName
    type: Type
    description: Description
    secret: bool
    schema_: Schema = Field(alias="schema")
    created_by: Who
    created_at: Moment


class Keys(Answer):
    """Declared keys, in the order in which they were asked for."""

    items: list[Key]


class ReleaseMade(Answer):
    """A release that something else took."""

    env: EnvName
    revision: Revision


class TurnedKey(Key):
    """A key that was made secret, or plain: a release where it has a value."""

    releases: list[ReleaseMade]
    warning: Annotated[str | None, Field(description="what is left to be done", examples=[None])]


class Setting(Answer):
    """What a key shows in a scope."""

    value: Value
    type: Type
    version: Version
    secret: bool


class MaskedSetting(Answer):
    """What a secret shows to those who may not read it."""

    type: Type
    version: Version
    secret: Literal[True]
    fingerprint: Fingerprint


Settings = Annotated[
    dict[str, Setting | MaskedSetting],
    Field(
        description="by key", examples=[{"rate_limit": {"value": 120, "type": "int", "version": 8, "secret": False}}]
    ),
]


class Scope(Answer):
    """All settings of a scope; revision and cursor are those of the last release that touched it."""

    namespace: NamespaceName
    env: EnvName
    revision: Revision
    cursor: Cursor
    values: Settings


class Origin(Answer):
    """Where a setting is; revision and cursor are of the release that made this version."""

    namespace: NamespaceName
    env: EnvName
    key: KeyName
    revision: Revision
    cursor: Cursor
    changed_by: Who
    created_at: Moment


class KeySetting(Setting, Origin):
    """One key's setting; revision and cursor are of the release that made this version."""


class MaskedKeySetting(MaskedSetting, Origin):
    """One secret, for those who may not read it."""


class Revealed(Answer):
    """One secret's value."""

    namespace: NamespaceName
    env: EnvName
    key: KeyName
    type: Type
    version: Version
    secret: Literal[True]
    value: Annotated[Any, Field(examples=["correct horse battery staple"])]


class KeyWrite(Answer):
    """One change of a release: which key, which version it made."""

    namespace: NamespaceName
    key: KeyName
    version: Version
    type: Type


class ValueSet(KeyWrite):
    """A key has a new value."""

    value: Value


class SecretSet(KeyWrite):
    """A secret has a new value; in a dry run without a fingerprint."""

    secret: Literal[True]
    fingerprint: Fingerprint = Field(default_factory=str)


class ValueUnset(KeyWrite):
    """A key has no value any more."""

    deleted: Literal[True]


class Written(Answer):
    """What a write did. One that changed nothing names the present revision."""

    env: EnvName
    revision: Revision
    cursor: Cursor
    changed: Annotated[bool, Field(examples=[True])]
    changes: list[ValueSet | SecretSet | ValueUnset]
