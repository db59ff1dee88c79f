"""What all answers are made of: the words, each with its example, and the page of a list.

Examples stand at the leaves; a whole answer's example is put together from them (``document``).
"""

from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, WithJsonSchema

from configsvc.api.models import pattern
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
