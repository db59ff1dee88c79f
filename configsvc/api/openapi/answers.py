"""The shapes of answers. Nothing is rendered through them: they describe, and the tests hold real answers against them.

Examples stand at the leaves; a whole answer's example is put together from them (``document``).
"""

from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, WithJsonSchema

from configsvc.api.models import EnvName, KeyName, NamespaceName, Schema, Type, pattern
from configsvc.domain import cursors

Revision = Annotated[int, Field(ge=0, examples=[46])]
Version = Annotated[int, Field(ge=1, examples=[8])]
Cursor = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": pattern(cursors.CURSOR), "examples": ["46.9f3a5c0d1e2b4f60"]})
]
Value = Annotated[Any, Field(examples=[120])]
Description = Annotated[str, Field(examples=["Requests a second"])]
Remark = Annotated[str, Field(examples=["Black Friday"])]
Who = Annotated[str, Field(description="a token's name", examples=["anna"])]
Moment = Annotated[AwareDatetime, Field(examples=["2026-11-21T10:00:00.000000Z"])]
Kind = Annotated[
    Literal["edit", "rollback", "restore", "undo", "promote", "request", "secret"],
    Field(description="what made the release"),
]
RequestId = Annotated[int, Field(ge=1, examples=[12])]
Approvals = Annotated[int, Field(ge=1, examples=[1])]
ClientId = Annotated[str, Field(examples=["6f3c1a52-5d3a-4c1e-9d53-0f6f3c2d8a11"])]
Service = Annotated[str, Field(examples=["checkout"])]

Fingerprint = Annotated[
    str, Field(description="the same for the same value of this key here", examples=["1f9b2c3d4e5f6071"])
]

Item = TypeVar("Item")


class Answer(BaseModel):
    """What all answers have in common: every member is named."""

    model_config = ConfigDict(extra="forbid")


class Page(Answer, Generic[Item]):
    """One page of a list."""

    # The docstring does not reach the pages of something.
    model_config = ConfigDict(json_schema_extra={"description": "One page of a list."})

    items: list[Item]
    next: Annotated[
        str | None, Field(description="the `cursor` of the next page, null on the last one", examples=["41"])
    ]

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name it so that it can be a component of the document."""
        first = get_args(params[0])[:1] or params  # of several kinds of items the first one
        return f"{first[0].__name__}Page"


class Alive(Answer):
    """The process answers."""

    status: Literal["ok"]


class Parts(Answer):
    """Each part in a word."""

    postgres: Literal["ok", "down"]
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


class Client(Answer):
    """One process, and the release that it shows; 0 is none of this history."""

    client_id: ClientId
    service: Service
    host: Annotated[str, Field(examples=["web-1"])]
    pid: Annotated[int, Field(ge=0, examples=[7])]
    revision: Revision


class Watcher(Client):
    """A live client: which settings it follows, and what it shows of them."""

    namespaces: list[NamespaceName]
    transport: Literal["redis", "longpoll", "none"]
    sdk: Annotated[str, Field(examples=["configclient/0.1"])]
    rejected: Annotated[str | None, Field(description="why it keeps its last good state", examples=[None])]
    last_seen: Moment


class LostClient(Client):
    """A client that fell silent less than 10 minutes ago."""

    last_seen: Moment


class RejectingClient(Client):
    """A client that refused what it got, and shows what it showed before."""

    reason: Annotated[str, Field(examples=["ValueError: rate_limit must be below 1000"])]


class Times(Answer):
    """Seconds from the release to the report by which half, 99 % and all showed it; null while not reached."""

    p50_s: Annotated[float | None, Field(examples=[0.8])]
    p99_s: Annotated[float | None, Field(examples=[1.9])]
    all_s: Annotated[float | None, Field(examples=[2.1])]


class Convergence(Answer):
    """How far a release has come with the live clients that it concerns."""

    watchers: Annotated[int, Field(ge=0, examples=[4])]
    applied: Annotated[int, Field(ge=0, examples=[4])]
    converged: Annotated[bool | None, Field(description="null where nobody can say", examples=[True])]
    laggards: list[Client]
    lost: list[LostClient]
    rejected: list[RejectingClient]
    times: Times


class KeyChanged(Answer):
    """A key has a new value."""

    key: KeyName
    type: Type
    value: Value
    version: Version


class SecretChanged(KeyChanged):
    """A secret has a new value."""

    secret: Literal[True]


class MaskedSecretChanged(MaskedSetting):
    """A secret has a new value, which the caller may not read."""

    key: KeyName


class KeyDeleted(Answer):
    """A key has no value any more."""

    key: KeyName
    deleted: Literal[True]
    version: Version


class Push(Answer):
    """Where push comes from, and by which keys it is signed (docs/protocol.md)."""

    url: Annotated[str, Field(examples=["redis://client-staging:password@127.0.0.1:6379/0"])]
    keys: Annotated[
        dict[str, str],
        Field(
            description="public keys by their id",
            examples=[{"21fe31dfa154a261": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}],
        ),
    ]


class SyncState(Answer):
    """Where a client stands after this answer, and when to ask again."""

    reset: Annotated[bool, Field(description="the state that the client has is not in this history")]
    revision: Revision
    cursor: Cursor
    view: Annotated[str, Field(description="opaque: the rights it was seen with", examples=["5d0c0a7be2f1439c"])]
    next_sync_s: Annotated[float, Field(ge=0, examples=[30])]
    report_within_s: Annotated[float, Field(ge=0, examples=[2])]
    push: Push | None


class SyncFull(SyncState):
    """Everything: replace."""

    kind: Literal["full"]
    values: Annotated[dict[str, Settings], Field(description="by namespace", examples=[{"payments": {}}])]


class SyncChanges(SyncState):
    """What changed since, by namespace, oldest first: overlay."""

    kind: Literal["changes"]
    changes: dict[str, list[KeyChanged | SecretChanged | MaskedSecretChanged | KeyDeleted]]


class SyncNone(SyncState):
    """Nothing changed in these namespaces."""

    kind: Literal["none"]


Synced = Annotated[SyncFull | SyncChanges | SyncNone, Field(discriminator="kind")]


class Event(Answer):
    """What changed in a scope since, then each change as it happens; `data` has `reset` and `changes` as a watch has
    them, `id` is the cursor. An event `end` says why the stream ends; a comment every 15 s says that it has not.
    """

    # The document has what one event is, because OpenAPI 3.1 has no word for a stream of them.
    id: Cursor | None = None
    event: Annotated[Literal["message", "end"], Field(description="`message` where none is named")] = "message"
    data: Annotated[str, Field(examples=['{"reset":false,"changes":[]}'])]
    retry: int | None = None


class Watched(Answer):
    """What changed in a scope since; after a reset, all values."""

    has_changes: Annotated[bool, Field(examples=[True])]
    reset: bool
    latest_revision: Revision
    cursor: Cursor
    changes: list[KeyChanged | SecretChanged | MaskedSecretChanged | KeyDeleted]
