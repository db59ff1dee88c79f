"""The shapes of answers about who may, asked, approved and did: access, change requests, the audit trail."""

from typing import Annotated, Any, Literal

from pydantic import Field

from configsvc.api.models import EnvName, KeyName, NamespaceName, Schema, Type
from configsvc.api.openapi.history import Affected, SecretState, VersionState
from configsvc.api.openapi.leaves import Answer, Approvals, Moment, Remark, RequestId, Revision, Value, Who

Role = Annotated[Literal["viewer", "developer", "ops", "admin", "service"], Field(examples=["developer"])]
NamespacePattern = Annotated[
    str, Field(description="a namespace, or the beginning of several with *", examples=["pay*"])
]
EnvNames = Annotated[list[EnvName] | None, Field(description="null: every environment", examples=[["development"]])]
TokenId = Annotated[str, Field(examples=["0a1b2c3d4e5f"])]
Principal = Annotated[
    str, Field(description="whom it counts as, where nobody may approve their own", examples=["anna"])
]
Expiry = Annotated[
    Moment | None, Field(description="null: it does not run out", examples=["2099-01-31T00:00:00.000000Z"])
]
Edition = Annotated[int, Field(ge=1, description="grows with every edit", examples=[1])]


class GrantShape(Answer):
    """What a token may do, and where."""

    role: Role
    namespaces: NamespacePattern
    envs: EnvNames


class Me(Answer):
    """Who the caller is, and what it may do: in the scope asked about, else anywhere."""

    name: Who
    token_id: TokenId
    principal: Principal
    expires_at: Expiry
    grants: list[GrantShape]
    may: list[
        Literal["read", "read_secrets", "declare", "write", "propose", "approve", "reveal", "break_glass", "administer"]
    ]


class NumberedGrant(GrantShape):
    """A grant of a token."""

    id: Annotated[int, Field(ge=1, examples=[7])]


class Token(Answer):
    """A living token. Its secret is shown nowhere."""

    id: TokenId
    name: Who
    principal: Principal
    grants: list[NumberedGrant]
    created_by: Who
    created_at: Moment
    expires_at: Expiry
    last_used_at: Annotated[Moment | None, Field(description="to the minute")]


class MadeToken(Answer):
    """A new token, with its secret: this once."""

    id: TokenId
    name: Who
    token: Annotated[str, Field(description="what its bearer sends", examples=["cfg_0a1b2c3d4e5f_…"])]
    grants: list[GrantShape]
    created_at: Moment
    expires_at: Expiry


class MadeGrant(NumberedGrant):
    """A new grant."""

    token_id: TokenId
    created_at: Moment


class Grant(MadeGrant):
    """A grant of a living token."""

    token: Annotated[str, Field(description="the token's name", examples=["checkout-ci"])]
    created_by: Who


class GivenApprovals(Answer):
    """How many have to approve, and who does."""

    needed: Approvals
    by: list[Who]


class Request(Answer):
    """A proposed release."""

    id: RequestId
    env: EnvName
    status: Literal["open", "approved", "rejected", "withdrawn", "applied", "void"]
    edition: Edition
    author: Who
    note: Remark
    namespaces: list[NamespaceName]
    base_revision: Annotated[Revision, Field(description="what this edition was made on")]
    approvals: GivenApprovals
    void_reason: Annotated[str | None, Field(examples=[None])]
    revision: Annotated[Revision | None, Field(description="what it became", examples=[None])]
    created_at: Moment
    updated_at: Moment


class ProposedKey(Answer):
    """Which key a proposal is about."""

    namespace: NamespaceName
    key: KeyName
    type: Type


class PromotedFrom(Answer):
    """Where a proposed value was taken from."""

    env: EnvName
    revision: Revision


class Proposed(ProposedKey):
    """What was there when something was proposed in its place; ``promoted_from``, where that is from elsewhere."""

    base: VersionState | SecretState | None
    promoted_from: PromotedFrom = Field(default_factory=lambda: PromotedFrom(env="", revision=0))


class ProposedValue(Proposed):
    """A key is to have another value than it had when this was proposed."""

    value: Value


class ProposedSecret(Proposed):
    """A secret is to have another value; not even its fingerprint is shown."""

    secret: Literal[True]


class ProposedDelete(ProposedKey):
    """A key is to have no value any more."""

    delete: Literal[True]
    base: VersionState | SecretState | None


class ProposedSchema(ProposedKey):
    """A key's values are to be checked by another schema."""

    schema_: Schema = Field(alias="schema")


class SchemaState(Answer):
    """One side of a difference of schemas; null is none."""

    schema_: Schema = Field(alias="schema")


class LiveDifference(ProposedKey):
    """What would change of what is live now."""

    from_: VersionState | SecretState | SchemaState | None = Field(
        alias="from", examples=[{"version": 7, "value": 100}]
    )
    to: VersionState | SecretState | SchemaState | None


class ReviewOfRequest(Answer):
    """What somebody said about one edition."""

    reviewer: Who
    decision: Literal["approve", "reject", "comment"]
    comment: Annotated[str, Field(examples=["as discussed"])]
    edition: Edition
    created_at: Moment


class RequestInFull(Request):
    """A proposed release beside what is live now, and what the caller may do with it."""

    digest: Annotated[str, Field(description="of what is proposed and what it replaces", examples=["9f3a" * 16])]
    changes: list[ProposedValue | ProposedSecret | ProposedDelete | ProposedSchema]
    diff: list[LiveDifference]
    watchers: Affected
    reviews: list[ReviewOfRequest]
    may: list[Literal["approve", "reject", "comment", "edit", "withdraw", "apply"]]


class AuditEvent(Answer):
    """Who did what, when, from where."""

    id: Annotated[int, Field(ge=1, examples=[77])]
    env: Annotated[EnvName | None, Field(description="what it is about, if it is about one")]
    revision: Annotated[Revision | None, Field(description="of a release")]
    action: Annotated[str, Field(examples=["release.edit"])]
    actor: Annotated[str, Field(description="a token's name; empty for who failed to get in", examples=["anna"])]
    request_id: Annotated[str, Field(examples=["9f3a5c0d1e2b4f60"])]
    address: Annotated[str, Field(examples=["127.0.0.1"])]
    namespaces: list[NamespaceName]
    details: Annotated[dict[str, Any], Field(examples=[{"changes": 1}])]
    created_at: Moment
