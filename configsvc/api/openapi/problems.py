"""Problem documents, one model for each code; its status is the one that ``configsvc.api.problems`` answers with."""

from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import Field, create_model

from configsvc.api.models import KeyName, NamespaceName
from configsvc.api.openapi.answers import Parts
from configsvc.api.openapi.leaves import Answer, Revision
from configsvc.api.problems import STATUS

#: When each code is answered, and an example of its ``detail``.
MEANING = {
    "malformed": (
        "The body is not strict JSON, or a parameter can't be read.",
        "limit must be a whole number from 1 to 500",
    ),
    "unauthenticated": ("No token, or none that is valid.", "this token is unknown, expired or revoked"),
    "forbidden": (
        "The caller's grant is too small.",
        "anna may not change settings in production: that takes the role ops or admin",
    ),
    "not_found": (
        "It isn't there, or the caller has no grant on it: the two look the same.",
        "there is no environment canary, or you have no grant there",
    ),
    "conflict": ("It contradicts what is there.", "an environment named canary exists"),
    "review_required": (
        "The environment is protected: the change has to be proposed.",
        "production is protected: POST the change to /v1/envs/production/requests",
    ),
    "revision_mismatch": (
        "If-Match does not hold: somebody changed it since.",
        "rate_limit has changed since you read it",
    ),
    "payload_too_large": ("More bytes or items than the limit.", "the body is larger than 1048576 bytes"),
    "validation_failed": ("Good JSON that breaks the contract.", "value: must be true or false"),
    "rate_limited": (
        "The caller makes more requests than it may, or has more of them held.",
        "checkout makes more than 2000 requests a second: wait as long as Retry-After says",
    ),
    "internal": ("A bug; the service's log has more under the request id.", "something is wrong in the service"),
    "unavailable": ("A part that this needs does not answer now.", "the database does not answer now"),
}


class Problem(Answer):
    """An error (RFC 9457). Programs act on ``code``."""

    type: Literal["about:blank"]
    title: Annotated[str, Field(description="the status in words")]
    status: int
    code: str
    detail: Annotated[str, Field(description="what is wrong, for people")]
    request_id: Annotated[str, Field(description="as in X-Request-Id", examples=["9f3a5c0d1e2b4f60"])]


class FieldError(Answer):
    """What is wrong with one field."""

    field: Annotated[str, Field(description="its path in the body", examples=["changes[2].value"])]
    message: Annotated[str, Field(examples=["must be true or false, because the key's type is bool"])]


class Collision(Answer):
    """A key that a later release touched."""

    namespace: NamespaceName
    key: KeyName
    revision: Revision


_RequestUrl = Annotated[str, Field(description="where to propose it", examples=["/v1/envs/production/requests"])]
_MORE: dict[str, dict[str, Any]] = {
    "unavailable": {"parts": (Parts | None, Field(default=None, description="of `/readyz`: each part in a word"))},
    "review_required": {"request_url": (_RequestUrl, ...)},
    "forbidden": {
        "request_url": (_RequestUrl | None, Field(default=None, description="where to propose it instead, if one may"))
    },
    "validation_failed": {"errors": (list[FieldError], Field(min_length=1))},
    "conflict": {
        "conflicts": (list[Collision], Field(default_factory=list, description="what an undo would have to overwrite")),
        "request_status": (str | None, Field(default=None, description="how the request stands", examples=["applied"])),
    },
}


def _model(code: str) -> type[Problem]:
    status = STATUS[code]
    meaning, detail = MEANING[code]
    fields: dict[str, Any] = {
        "title": (Literal[HTTPStatus(status).phrase], ...),
        "status": (Literal[status], ...),
        "code": (Literal[code], ...),
        "detail": (str, Field(examples=[detail])),
    }
    name = "".join(word.capitalize() for word in code.split("_"))
    return create_model(f"{name}Problem", __base__=Problem, __doc__=meaning, **fields, **_MORE.get(code, {}))


MODELS = {code: _model(code) for code in MEANING}
