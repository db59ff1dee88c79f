"""What calls take beside their bodies, and which headers answers have."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, Field, WithJsonSchema

from configsvc.api import door
from configsvc.api.comparisons import ENVS_MAX
from configsvc.api.models import EnvName, KeyName, NamespaceName, pattern
from configsvc.api.sync import STREAM_S_MAX, WATCH_S_DEFAULT, WATCH_S_MAX
from configsvc.api.watchers import WAIT_S_MAX
from configsvc.domain import cursors, names, reviews

_Revision = Annotated[int, Field(ge=0, le=door.NUMBER_MAX, examples=[1])]
_Since = Annotated[
    str, Field(pattern=f"{pattern(door.NUMBER)}|{pattern(cursors.CURSOR)}", examples=["46.9f3a5c0d1e2b4f60"])
]
_ENVS = f"^(?:{names.ENV.pattern})(?:,(?:{names.ENV.pattern})){{1,{ENVS_MAX - 1}}}$"
_TokenId = Annotated[str, Field(min_length=1, max_length=door.WORD_CHARACTERS_MAX, examples=["0a1b2c3d4e5f"])]
_Name = Annotated[str, Field(min_length=1, max_length=door.WORD_CHARACTERS_MAX, examples=["anna"])]
_Etag = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": pattern(door.ETAG), "examples": ['"r46.9f3a5c0d1e2b4f60"']})
]


class Parameter(NamedTuple):
    """One parameter or header: its type, and what it says."""

    type: Any
    says: str
    default: object = None
    required: bool = False  # in answers: always there
    name: str | None = None  # where two calls mean different things by one name


PATH: Mapping[str, Parameter] = {
    "namespace": Parameter(NamespaceName, "who owns the settings", required=True),
    "env": Parameter(EnvName, "the environment", required=True),
    "key": Parameter(KeyName, "the key", required=True),
    "revision": Parameter(_Revision, "the number of a release", required=True),
    "request_id": Parameter(_Revision, "the number of a change request", required=True),
    "token_id": Parameter(_TokenId, "the first part of a token, after `cfg_`", required=True),
    "grant_id": Parameter(_Revision, "the number of a grant", required=True),
}

QUERY: Mapping[str, Parameter] = {
    "limit": Parameter(Annotated[int, Field(ge=1, le=door.LIMIT_MAX)], "items of one page", door.LIMIT_DEFAULT),
    "cursor": Parameter(
        Annotated[str, Field(pattern=pattern(door.NUMBER))],
        "`next` of the page before; without it the newest items come first",
    ),
    "namespace": Parameter(NamespaceName, "only what touches this namespace"),
    "revision": Parameter(_Revision, "the state after this release; not together with `at`"),
    "at": Parameter(AwareDatetime, "the state at this time"),
    "from": Parameter(_Revision, "the revision to compare", required=True),
    "to": Parameter(_Revision, "the revision to compare with; without it the newest"),
    "since": Parameter(
        _Since,
        "the revision, or the `cursor` of the last answer, that the caller has",
        "0",
    ),
    "timeout": Parameter(
        Annotated[int, Field(ge=0, le=WATCH_S_MAX)], "seconds to wait for something new", WATCH_S_DEFAULT
    ),
    "lasting": Parameter(
        Annotated[int, Field(ge=0, le=STREAM_S_MAX)],
        "seconds after which the stream ends",
        STREAM_S_MAX,
        name="timeout",
    ),
    "wait": Parameter(Annotated[int, Field(ge=0, le=WAIT_S_MAX)], "seconds to wait until all have it", 0),
    "envs": Parameter(
        Annotated[str, Field(pattern=_ENVS, examples=["staging,production"])],
        "environments, each once, with commas between them",
        required=True,
    ),
    "env": Parameter(EnvName, "only what is about this environment"),
    "key": Parameter(KeyName, "only what is about this key; goes with `namespace`"),
    "status": Parameter(Literal[reviews.STATUSES], "only requests that stand so"),
    "author": Parameter(_Name, "only requests by this token"),
    "actor": Parameter(_Name, "only what this token did"),
    "action": Parameter(_Name, "only this action, or all that begin with this word and a dot, such as `release`"),
    "since_time": Parameter(AwareDatetime, "only what was at this time or later", name="since"),
    "until": Parameter(AwareDatetime, "only what was before this time"),
    "token_id": Parameter(_TokenId, "only those of this token"),
    "dry_run": Parameter(bool, "check everything and answer what would happen, but write nothing", False),
}

HEADERS: Mapping[str, Parameter] = {
    "Last-Event-ID": Parameter(_Since, "the `id` of the last event, which goes before `since`"),
    "If-None-Match": Parameter(str, "an ETag: 304 if that is still what would be answered"),
    "If-Match": Parameter(_Etag, "the ETag of the scope, or of this key: 412 if it has changed since"),
    "Idempotency-Key": Parameter(
        Annotated[str, Field(pattern=pattern(door.IDEMPOTENCY_KEY))],
        "makes a repeated request answer as the first one did, for 24 hours",
    ),
}

ANSWER_HEADERS: Mapping[str, Parameter] = {
    "X-Request-Id": Parameter(
        str, "the request's id in the service's log: the caller's own, if it sent a fit one", required=True
    ),
    "ETag": Parameter(_Etag, "names what was answered, for If-None-Match and If-Match", required=True),
    "Vary": Parameter(Literal["Authorization"], "what is shown depends on who asks", required=True),
    "Location": Parameter(str, "where the new thing is", required=True),
    "Idempotent-Replayed": Parameter(Literal["true"], "this is the answer to an earlier request of the same key"),
    "WWW-Authenticate": Parameter(Literal["Bearer"], "how to come in", required=True),
    "Retry-After": Parameter(Annotated[int, Field(examples=[1])], "seconds to wait before trying again", required=True),
}
