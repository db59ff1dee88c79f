"""The shapes of answers to clients, and about them: sync, watch, streams, who has what."""

from typing import Annotated, Literal

from pydantic import Field

from configsvc.api.models import KeyName, NamespaceName, Type
from configsvc.api.openapi.answers import MaskedSetting, Settings
from configsvc.api.openapi.leaves import Answer, ClientId, Cursor, Moment, Revision, Service, Value, Version


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
