"""The shapes of request bodies. Strict: no coercion, no unknown fields.

``/openapi.json`` is made from them. Where the domain refuses with a rule of its own, the pattern stands here for the
readers of that document only.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from configsvc.domain import names

#: A sentence or a ticket's address, not a document.
NOTE_CHARACTERS_MAX = 2_000
#: As many changes as a scope has keys.
CHANGES_MAX = 10_000
#: Of one call that declares; as many as a scope has.
KEYS_MAX = 10_000
#: Namespaces of one client; each costs work in every sync.
NAMESPACES_MAX = 100
#: Of one grant, and of one new token.
ENVS_MAX, GRANTS_MAX = 100, 100
#: How long a sync may be held (DESIGN.md §6).
WAIT_S_MAX = 5.0

Text = Annotated[str, Field(max_length=NOTE_CHARACTERS_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Type = Annotated[Literal["string", "int", "float", "bool", "json"], Field(examples=["int"])]


def pattern(rule: re.Pattern[str]) -> str:
    """Return a rule for whole texts as JSON Schema wants it, which searches."""
    return f"^(?:{rule.pattern})$"


def _named(rule: re.Pattern[str], like: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern(rule), "examples": [like]})


EnvName = Annotated[Name, _named(names.ENV, "staging")]
NamespaceName = Annotated[Name, _named(names.NAMESPACE, "payments")]
KeyName = Annotated[Name, _named(names.KEY, "rate_limit")]
#: JSON Schema 2020-12 of a key's values; null is none.
Schema = Annotated[Any, WithJsonSchema({"type": ["object", "boolean", "null"], "examples": [{"minimum": 1}]})]


RevisionNumber = Annotated[int, Field(ge=0, le=2**63 - 1)]


def example(body: JsonDict) -> ConfigDict:
    """Show readers of ``/openapi.json`` what a whole body looks like."""
    return ConfigDict(json_schema_extra={"examples": [body]})


class Body(BaseModel):
    """What all bodies have in common."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class BreakGlass(Body):
    """Why a protected environment is written without a review; history and audit trail show it."""

    model_config = example({"reason": "INC-4711: payments are down"})

    reason: Annotated[str, Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)]


class Write(Body):
    """What every write of settings may say."""

    note: Text = ""
    break_glass: BreakGlass | None = None


class PutValue(Write):
    """One key's new value; ``type`` declares the key if it is not there yet."""

    model_config = example({"value": 120, "note": "Black Friday", "type": "int"})

    value: Any
    type: Type | None = None


class Note(Write):
    """A write that needs no more than a reason."""

    model_config = example({"note": "no longer used"})


class Rollback(Write):
    """Which version of a key to go back to."""

    model_config = example({"version": 1, "note": "120 was too many"})

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]


class Restore(Write):
    """Which revision of the environment a scope shall be like."""

    model_config = example({"revision": 1, "note": "as before the sale"})

    revision: RevisionNumber


class Promote(Write):
    """Which environment's values a scope shall have: those of now or at its ``revision``, of all ``keys`` or some.

    ``prune``: what has no value there has none here.
    """

    model_config = example({"from": "development", "keys": ["rate_limit"], "note": "Black Friday"})

    from_: EnvName = Field(alias="from")
    revision: RevisionNumber | None = None
    keys: Annotated[list[KeyName], Field(min_length=1, max_length=CHANGES_MAX)] | None = None
    prune: bool = False


class Reveal(Body):
    """Why somebody wants to see a secret; the audit trail shows it."""

    model_config = example({"reason": "INC-4711: does the password fit?"})

    reason: Annotated[str, Field(min_length=1, max_length=NOTE_CHARACTERS_MAX)]


class Change(Body):
    """One change of a batch: a value, or ``"delete": true``."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["value"]}, {"required": ["delete"]}]})

    key: KeyName
    value: Any = None
    #: No Literal[True]: pydantic takes a 1 for it.
    delete: Annotated[bool, WithJsonSchema({"const": True})] = Field(default_factory=bool)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        given = self.model_fields_set & {"value", "delete"}
        if given != {"value"} and not (given == {"delete"} and self.delete):
            raise ValueError('needs either "value" or "delete": true')
        return self


class ScopeChanges(Write):
    """An atomic batch in one scope."""

    model_config = example(
        {"changes": [{"key": "rate_limit", "value": 120}, {"key": "old_limit", "delete": True}], "note": "Black Friday"}
    )

    changes: Annotated[list[Change], Field(min_length=1, max_length=CHANGES_MAX)]


class NamespacedChange(Change):
    """One change of a release over several namespaces."""

    namespace: NamespaceName


class NewRelease(Write):
    """An atomic batch over several namespaces."""

    model_config = example(
        {"changes": [{"namespace": "payments", "key": "rate_limit", "value": 120}], "note": "Black Friday"}
    )

    changes: Annotated[list[NamespacedChange], Field(min_length=1, max_length=CHANGES_MAX)]


class NewNamespace(Body):
    """A namespace to create."""

    model_config = example({"name": "shipping", "description": "What the shipping team owns"})

    name: NamespaceName
    description: Text = ""


class NewEnvironment(Body):
    """An environment to create."""

    model_config = example(
        {"name": "canary", "description": "A few real users", "review_required": True, "approvals": 1}
    )

    name: EnvName
    description: Text = ""
    review_required: bool = False
    approvals: Annotated[int, Field(ge=1, le=10)] = 1


class EnvironmentChange(Body):
    """What may change about an environment; what is absent stays."""

    model_config = example({"review_required": True, "approvals": 2})

    description: Text | None = None
    review_required: bool | None = None
    approvals: Annotated[int, Field(ge=1, le=10)] | None = None


class NewKey(Body):
    """A key to declare."""

    model_config = example(
        {"key": "burst", "type": "int", "description": "Requests at once", "schema": {"minimum": 1, "maximum": 1000}}
    )

    key: KeyName
    type: Type
    description: Text = ""
    secret: bool = False
    schema_: Schema = Field(default=None, alias="schema")


class NewKeys(Body):
    """Keys to declare, all of them or none."""

    model_config = example({"keys": [{"key": "retries", "type": "int"}, {"key": "greeting", "type": "string"}]})

    keys: Annotated[list[NewKey], Field(min_length=1, max_length=KEYS_MAX)]


class KeyChange(Body):
    """What may change about a key; what is absent stays, a schema of null is none. ``secret`` is changed alone."""

    model_config = example({"description": "Requests a second", "schema": {"minimum": 1}})

    description: Text = Field(default_factory=str)  # no default that readers of the document would see
    schema_: Schema = Field(default=None, alias="schema")
    secret: bool = Field(default_factory=bool)
    break_glass: BreakGlass | None = None

    @model_validator(mode="after")
    def _secret_alone(self) -> Self:
        if "secret" in self.model_fields_set and self.model_fields_set & {"description", "schema_"}:
            raise ValueError('"secret" is changed alone: send the rest in a PATCH of its own')
        return self


class ProposedChange(Body):
    """One proposed change: a value, ``"delete": true``, another ``schema`` for the key (null takes it away), or the
    value that the key has in another environment: in ``promote_from``, now or at that one's ``revision``.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [name]} for name in ("value", "delete", "schema", "promote_from")],
            "dependentRequired": {"revision": ["promote_from"]},
        }
    )

    namespace: NamespaceName
    key: KeyName
    value: Any = None
    delete: Annotated[bool, WithJsonSchema({"const": True})] = Field(default_factory=bool)
    schema_: Schema = Field(default=None, alias="schema")
    promote_from: EnvName = Field(default_factory=str)
    revision: RevisionNumber = Field(default_factory=int)

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        given = self.model_fields_set & {"value", "delete", "schema_", "promote_from"}
        if given not in ({"value"}, {"schema_"}, {"promote_from"}) and not (given == {"delete"} and self.delete):
            raise ValueError('needs one of "value", "delete": true, "schema" and "promote_from"')
        if "revision" in self.model_fields_set and not self.promote_from:
            raise ValueError('"revision" goes with "promote_from"')
        return self


ProposedChanges = Annotated[list[ProposedChange], Field(min_length=1, max_length=CHANGES_MAX)]


class NewRequest(Body):
    """A release to propose."""

    model_config = example(
        {"changes": [{"namespace": "payments", "key": "rate_limit", "value": 120}], "note": "Black Friday"}
    )

    changes: ProposedChanges
    note: Text = ""


class RequestEdit(Body):
    """What to propose instead; what is absent stays. An empty one proposes the same on what is there now."""

    model_config = example({"note": "Black Friday, 0:00"})

    changes: ProposedChanges = Field(default_factory=list)
    note: Text = Field(default_factory=str)


class Review(Body):
    """A word about a request; ``digest``: of what was seen, so that nobody approves what was edited meanwhile."""

    model_config = example({"decision": "approve", "comment": "as discussed"})

    decision: Literal["approve", "reject", "comment"]
    comment: Text = ""
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None

    @model_validator(mode="after")
    def _comments_say_something(self) -> Self:
        if self.decision == "comment" and not self.comment:
            raise ValueError("a comment says something")
        return self


class Nothing(Body):
    """An empty object, or no body at all."""

    model_config = example({})


class Comment(Body):
    """A step that needs no more than a word."""

    model_config = example({"comment": "not needed any more"})

    comment: Text = ""


class NewGrant(Body):
    """What a token may do, and where: ``namespaces`` is one, or the beginning of several with ``*`` at its end."""

    model_config = example({"role": "developer", "namespaces": "payments", "envs": ["development"]})

    role: Annotated[Literal["viewer", "developer", "ops", "admin", "service"], Field(examples=["developer"])]
    namespaces: Annotated[Name, _named(names.NAMESPACE_PATTERN, "pay*")] = "*"
    envs: Annotated[list[EnvName], Field(min_length=1, max_length=ENVS_MAX)] | None = None


class GrantForToken(NewGrant):
    """Another grant for a token."""

    model_config = example(
        {"token_id": "0a1b2c3d4e5f", "role": "ops", "namespaces": "payments", "envs": ["production"]}
    )

    token_id: Name


class NewToken(Body):
    """A token to make. Without grants it sees nothing; without ``expires_at`` it does not run out."""

    model_config = example(
        {
            "name": "checkout-ci",
            "grants": [{"role": "developer", "namespaces": "payments", "envs": ["development"]}],
            "expires_at": "2099-01-31T00:00:00Z",
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", examples=["checkout-ci"])]
    grants: Annotated[list[NewGrant], Field(max_length=GRANTS_MAX)] = Field(default_factory=list)
    expires_at: Annotated[Name, WithJsonSchema({"type": "string", "format": "date-time"})] | None = None


class Rejected(Body):
    """A state that the application refused."""

    cursor: Name
    reason: Text


class SyncClient(Body):
    """Who syncs."""

    id: Name
    service: Name
    host: Annotated[str, Field(max_length=255)] = ""
    pid: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    sdk: Annotated[str, Field(max_length=100)] = ""
    transport: Literal["redis", "longpoll", "none"] = "none"
    rejected: Rejected | None = None
    leaving: bool = False


class SyncRequest(Body):
    """What a client has and wants."""

    model_config = example(
        {
            "client": {
                "id": "6f3c1a52-5d3a-4c1e-9d53-0f6f3c2d8a11",
                "service": "checkout",
                "host": "web-1",
                "pid": 7,
                "sdk": "configclient/0.1",
                "transport": "redis",
            },
            "env": "staging",
            "namespaces": ["payments", "global"],
            "have": "45.77abf01c2d3e4f50",
            "view": "5d0c0a7be2f1439c",
            "wait_s": 0,
        }
    )

    client: SyncClient
    env: EnvName
    namespaces: Annotated[list[NamespaceName], Field(min_length=1, max_length=NAMESPACES_MAX)]
    have: Name | None = None
    view: Name | None = None
    wait_s: Annotated[float, Field(ge=0, le=WAIT_S_MAX)] = 0.0
