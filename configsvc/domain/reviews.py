"""Change requests: what may happen to one, and what an approval is bound to. Pure."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from configsvc.domain.releases import SecretRef, Source
from configsvc.errors import Conflict, NotApproved

STATUSES = ("open", "approved", "rejected", "withdrawn", "applied", "void")

_PENDING = frozenset({"open", "approved"})
#: From which states a step is possible. An edit begins anew, also after a rejection or when a release made it void.
_STEPS = {
    "review": _PENDING,
    "comment": frozenset(STATUSES),
    "edit": _PENDING | {"rejected", "void"},
    "withdraw": _PENDING | {"rejected", "void"},
    "apply": frozenset({"approved"}),
}
_NEXT = {
    "open": "it waits for approval",
    "approved": "it is approved already",
    "rejected": "its author can edit it, which opens it again",
    "withdrawn": "open a new one",
    "applied": "it is done",
    "void": "its author can edit it, which opens it again on what is there now",
}


@dataclass(frozen=True)
class Proposed:
    """One proposed change: a value (canonical text; None unsets), a secret, or another schema for the key.

    ``base_version``: the active version that it replaces, 0 for none. ``base_definition``: of the key, when proposed.
    ``source``: where the value was promoted from.
    """

    key_id: int
    namespace: str
    key: str
    text: str | None
    schema: str | None
    base_version: int
    base_definition: int
    secret: SecretRef | None = None
    source: Source | None = None


def digest(changes: Sequence[Proposed]) -> bytes:
    """Return what an approval is bound to: SHA-256 of the changes and of what they replace.

    As canonical JSON, which has no two readings.
    """
    content = sorted(
        [change.namespace, change.key, change.text, change.schema, change.base_version]
        + ([] if change.schema is None else [change.base_definition])
        + ([] if change.secret is None else [str(change.secret.value_id), change.secret.fingerprint])
        + ([] if change.source is None else [change.source.env, change.source.revision])
        for change in changes
    )
    return hashlib.sha256(json.dumps(content).encode()).digest()


def possible(step: str, status: str) -> bool:
    """Tell whether a step ("review", "comment", "edit", "withdraw", "apply") is possible now."""
    return status in _STEPS[step]


def check(step: str, request_id: int, status: str, void_reason: str | None) -> None:
    """Raise Conflict unless a step is possible now; NotApproved where that step is to apply it."""
    if possible(step, status):
        return
    why = f" ({void_reason})" if void_reason else ""
    refused = NotApproved if step == "apply" else Conflict
    raise refused(f"request {request_id} is {status}{why}: {_NEXT[status]}", request_status=status)


def after_review(decision: str, status: str, approvals: int, needed: int) -> str:
    """Return the status of a pending request after a review; ``approvals`` counts that one, too."""
    if decision == "comment":
        return status
    if decision == "reject":
        return "rejected"
    return "approved" if approvals >= needed else "open"
