"""The shapes of request bodies. Strict: no coercion, no unknown fields."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: A sentence or a ticket's address, not a document.
NOTE_CHARACTERS_MAX = 2_000
#: As many changes as a scope has keys.
CHANGES_MAX = 10_000
#: Namespaces of one client; each costs work in every sync.
NAMESPACES_MAX = 100
#: How long a sync may be held (DESIGN.md §6).
WAIT_S_MAX = 5.0

Text = Annotated[str, Field(max_length=NOTE_CHARACTERS_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Type = Literal["string", "int", "float", "bool", "json"]


class Body(BaseModel):
    """What all bodies have in common."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PutValue(Body):
    """One key's new value; ``type`` declares the key if it is not there yet."""

    value: Any
    note: Text = ""
    type: Type | None = None


class Note(Body):
    """A write that needs no more than a reason."""

    note: Text = ""


class Rollback(Body):
    """Which version of a key to go back to."""

    version: Annotated[int, Field(ge=1, le=2**31 - 1)]
    note: Text = ""


class Restore(Body):
    """Which revision of the environment a scope shall be like."""

    revision: Annotated[int, Field(ge=0, le=2**63 - 1)]
    note: Text = ""


class Change(Body):
    """One change of a batch: a value, or ``"delete": true``."""

    key: Name
    value: Any = None
    delete: bool | None = None  # no Literal[True]: pydantic takes a 1 for it

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.delete is False or ("value" in self.model_fields_set) == (self.delete is True):
            raise ValueError('needs either "value" or "delete": true')
        return self


class ScopeChanges(Body):
    """An atomic batch in one scope."""

    changes: Annotated[list[Change], Field(min_length=1, max_length=CHANGES_MAX)]
    note: Text = ""


class NamespacedChange(Change):
    """One change of a release over several namespaces."""

    namespace: Name


class NewRelease(Body):
    """An atomic batch over several namespaces."""

    changes: Annotated[list[NamespacedChange], Field(min_length=1, max_length=CHANGES_MAX)]
    note: Text = ""


class NewNamespace(Body):
    """A namespace to create."""

    name: Name
    description: Text = ""


class NewEnvironment(Body):
    """An environment to create."""

    name: Name
    description: Text = ""
    review_required: bool = False
    approvals: Annotated[int, Field(ge=1, le=10)] = 1


class EnvironmentChange(Body):
    """What may change about an environment; what is absent stays."""

    description: Text | None = None
    review_required: bool | None = None
    approvals: Annotated[int, Field(ge=1, le=10)] | None = None


class NewKey(Body):
    """A key to declare."""

    key: Name
    type: Type
    description: Text = ""
    secret: bool = False
    #: JSON Schema 2020-12; null is none.
    schema_: Any = Field(default=None, alias="schema")


class KeyChange(Body):
    """What may change about a key; what is absent stays, a schema of null is none."""

    description: Text = ""
    schema_: Any = Field(default=None, alias="schema")


class Rejected(Body):
    """A state that the application refused."""

    cursor: Name
    reason: Text


class SyncClient(Body):
    """Who syncs."""

    id: Name
    service: Name
    host: Annotated[str, Field(max_length=255)] = ""
    pid: Annotated[int, Field(ge=0)] = 0
    sdk: Annotated[str, Field(max_length=100)] = ""
    transport: Literal["redis", "longpoll", "none"] = "none"
    rejected: Rejected | None = None


class SyncRequest(Body):
    """What a client has and wants."""

    client: SyncClient
    env: Name
    namespaces: Annotated[list[Name], Field(min_length=1, max_length=NAMESPACES_MAX)]
    have: Name | None = None
    view: Name | None = None
    wait_s: Annotated[float, Field(ge=0, le=WAIT_S_MAX)] = 0.0
