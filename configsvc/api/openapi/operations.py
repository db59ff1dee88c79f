"""The table of all calls: what each does, takes and answers. A test compares it with the routes.

What holds for many calls alike is not repeated in their rows: see ``Operation.problems``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from configsvc.api import models
from configsvc.api.openapi import answers, delivery, governance, history, leaves

_SCOPE = "/v1/namespaces/{namespace}/envs/{env}"
_KEYS = "/v1/namespaces/{namespace}/keys"
_REQUEST = "/v1/requests/{request_id}"
_PAGE = ("limit", "cursor")


@dataclass(frozen=True)
class Operation:
    """One call.

    ``id``: its endpoint in Flask. ``answer``: the type of the body of success, None without one; ``media_type``: what
    that is sent as. ``takes``: query parameters; ``headers``: those of the request; ``gives``: those of success.
    ``codes``: problems of its own.
    """

    id: str
    call: str
    does: str
    answer: Any
    body: type[models.Body] | None = None
    status: int = 200
    body_optional: bool = False
    takes: Sequence[str] = ()
    headers: Sequence[str] = ()
    gives: Sequence[str] = ()
    codes: Sequence[str] = ()
    anonymous: bool = False
    media_type: str = "application/json"

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.call.partition(" ")[0]

    @property
    def path(self) -> str:
        """The path, with its parameters in braces."""
        return self.call.partition(" ")[2]

    @property
    def problems(self) -> Sequence[str]:
        """Every problem code that the call can answer with."""
        return (
            "malformed",
            "internal",
            *(() if self.anonymous else ("unauthenticated", "rate_limited", "unavailable")),
            *(() if self.body is None else ("payload_too_large", "validation_failed")),
            *self.codes,
        )


def _create(id_: str, call: str, does: str, answer: Any, body: type[models.Body], *codes: str) -> Operation:
    return Operation(id_, call, does, answer, body, 201, gives=("Location",), codes=("forbidden", "conflict", *codes))


def _read(id_: str, call: str, does: str, answer: Any, *takes: str) -> Operation:
    return Operation(id_, call, does, answer, takes=takes, codes=("not_found",))


def _cached(id_: str, call: str, does: str, answer: Any, *takes: str) -> Operation:
    headers, gives = ("If-None-Match",), ("ETag", "Vary")
    return Operation(id_, call, does, answer, takes=takes, headers=headers, gives=gives, codes=("not_found",))


def _write(id_: str, call: str, does: str, body: type[models.Body], *, body_optional: bool = False) -> Operation:
    return Operation(
        id_,
        call,
        does,
        answers.Written | history.Preview,
        body,
        body_optional=body_optional,
        takes=("dry_run",),
        headers=("If-Match", "Idempotency-Key"),
        gives=("Idempotent-Replayed",),
        codes=("forbidden", "not_found", "conflict", "review_required", "revision_mismatch"),
    )


def _step(id_: str, call: str, does: str, body: type[models.Body], *codes: str, optional: bool = False) -> Operation:
    return Operation(
        id_,
        call,
        does,
        governance.RequestInFull,
        body,
        body_optional=optional,
        codes=("forbidden", "not_found", "conflict", *codes),
    )


OPERATIONS: Sequence[Operation] = (
    _write("writes.put_key", f"PUT {_SCOPE}/config/{{key}}", "Set one key", models.PutValue),
    _write("writes.delete_key", f"DELETE {_SCOPE}/config/{{key}}", "Unset one key", models.Note, body_optional=True),
    _write("writes.patch_scope", f"PATCH {_SCOPE}/config", "Change several keys at once", models.ScopeChanges),
    _write(
        "writes.post_release", "POST /v1/envs/{env}/releases", "Change several namespaces at once", models.NewRelease
    ),
    _write(
        "writes.rollback",
        f"POST {_SCOPE}/config/{{key}}/rollback",
        "Give a key the value of an earlier version",
        models.Rollback,
    ),
    _write("writes.restore", f"POST {_SCOPE}/restore", "Make a scope what it was at a revision", models.Restore),
    _write(
        "writes.promote",
        f"POST {_SCOPE}/promote",
        "Give keys the values that they have in another environment",
        models.Promote,
    ),
    _write(
        "writes.undo",
        "POST /v1/envs/{env}/releases/{revision}/undo",
        "Put back what one release changed, and nothing else",
        models.Note,
        body_optional=True,
    ),
    _cached("settings.get_scope", f"GET {_SCOPE}/config", "Read a scope", answers.Scope, "revision", "at"),
    _cached(
        "settings.get_key",
        f"GET {_SCOPE}/config/{{key}}",
        "Read one key",
        answers.KeySetting | answers.MaskedKeySetting,
    ),
    Operation(
        "settings.reveal",
        f"POST {_SCOPE}/config/{{key}}/reveal",
        "Read one secret, for people; it is recorded first",
        answers.Revealed,
        models.Reveal,
        codes=("forbidden", "not_found", "conflict"),
    ),
    _read(
        "history.list_versions",
        f"GET {_SCOPE}/config/{{key}}/versions",
        "List a key's versions, newest first",
        leaves.Page[history.VersionOfKey | history.VersionOfSecret],
        *_PAGE,
    ),
    _read("history.diff", f"GET {_SCOPE}/diff", "Compare two revisions of a scope", history.Difference, "from", "to"),
    _read(
        "comparisons.compare",
        "GET /v1/namespaces/{namespace}/compare",
        "Put environments beside each other",
        history.Comparison,
        "envs",
    ),
    _read(
        "history.list_releases",
        "GET /v1/envs/{env}/releases",
        "List releases, newest first",
        leaves.Page[history.Release],
        *_PAGE,
        "namespace",
    ),
    _read("history.get_release", "GET /v1/envs/{env}/releases/{revision}", "Read one release", history.ReleaseInFull),
    _read("sync.watch", f"GET {_SCOPE}/watch", "Wait for changes of a scope", delivery.Watched, "since", "timeout"),
    Operation(
        "sync.follow",
        f"GET {_SCOPE}/stream",
        "Follow changes of a scope as server-sent events",
        delivery.Event,
        takes=("since", "lasting"),
        headers=("Last-Event-ID",),
        codes=("not_found",),
        media_type="text/event-stream",
    ),
    Operation(
        "sync.synchronize",
        "POST /v1/sync",
        "Load and follow settings, as clients do (docs/protocol.md)",
        delivery.Synced,
        models.SyncRequest,
        codes=("not_found",),
    ),
    _read(
        "watchers.get_convergence",
        "GET /v1/envs/{env}/releases/{revision}/convergence",
        "Ask whether every client has a release, and wait for it",
        delivery.Convergence,
        "wait",
    ),
    _read(
        "watchers.list_watchers",
        "GET /v1/envs/{env}/watchers",
        "List live clients",
        leaves.Page[delivery.Watcher],
        "namespace",
    ),
    _read("keys.list_keys", f"GET {_KEYS}", "List declared keys, newest first", leaves.Page[answers.Key], *_PAGE),
    _create("keys.declare_key", f"POST {_KEYS}", "Declare a key", answers.Key, models.NewKey, "not_found"),
    Operation(
        "keys.declare_keys",
        f"PATCH {_KEYS}",
        "Declare several keys at once",
        answers.Keys,
        models.NewKeys,
        codes=("forbidden", "not_found", "conflict"),
    ),
    _read("keys.get_key", f"GET {_KEYS}/{{key}}", "Read a declaration", answers.Key),
    Operation(
        "keys.change_key",
        f"PATCH {_KEYS}/{{key}}",
        "Change a key's description or schema, or whether it is secret",
        answers.Key | answers.TurnedKey,
        models.KeyChange,
        codes=("forbidden", "not_found", "review_required"),
    ),
    Operation(
        "keys.delete_key",
        f"DELETE {_KEYS}/{{key}}",
        "Delete a key that has no value anywhere",
        None,
        status=204,
        codes=("forbidden", "not_found", "conflict"),
    ),
    Operation(
        "catalog.list_namespaces",
        "GET /v1/namespaces",
        "List namespaces, newest first",
        leaves.Page[answers.Namespace],
        takes=_PAGE,
    ),
    _create(
        "catalog.create_namespace", "POST /v1/namespaces", "Create a namespace", answers.Namespace, models.NewNamespace
    ),
    Operation("catalog.list_environments", "GET /v1/envs", "List environments", leaves.Page[answers.Environment]),
    _create(
        "catalog.create_environment",
        "POST /v1/envs",
        "Create an environment",
        answers.Environment,
        models.NewEnvironment,
    ),
    Operation(
        "catalog.update_environment",
        "PATCH /v1/envs/{env}",
        "Change an environment's protection",
        answers.Environment,
        models.EnvironmentChange,
        codes=("forbidden", "not_found"),
    ),
    Operation(
        "change_requests.open_request",
        "POST /v1/envs/{env}/requests",
        "Propose a release",
        governance.RequestInFull,
        models.NewRequest,
        201,
        gives=("Location",),
        codes=("forbidden", "not_found"),
    ),
    Operation(
        "change_requests.list_requests",
        "GET /v1/requests",
        "List change requests, newest first",
        leaves.Page[governance.Request],
        takes=(*_PAGE, "env", "namespace", "status", "author"),
        codes=("not_found",),
    ),
    _read("change_requests.get_request", f"GET {_REQUEST}", "Read a change request", governance.RequestInFull),
    _step(
        "change_requests.edit_request", f"PATCH {_REQUEST}", "Propose something else in its place", models.RequestEdit
    ),
    _step(
        "change_requests.review",
        f"POST {_REQUEST}/reviews",
        "Approve, reject or comment on a request",
        models.Review,
        "revision_mismatch",
    ),
    _step(
        "change_requests.withdraw", f"POST {_REQUEST}/withdraw", "End one's own request", models.Comment, optional=True
    ),
    Operation(
        "change_requests.apply",
        f"POST {_REQUEST}/apply",
        "Commit an approved request as one release",
        answers.Written | history.Preview,
        models.Nothing,
        body_optional=True,
        takes=("dry_run",),
        headers=("If-Match", "Idempotency-Key"),
        gives=("Idempotent-Replayed",),
        codes=("forbidden", "not_found", "conflict", "revision_mismatch"),
    ),
    Operation(
        "audit.list_events",
        "GET /v1/audit",
        "Read the audit trail, newest first",
        leaves.Page[governance.AuditEvent],
        takes=(*_PAGE, "env", "namespace", "key", "actor", "action", "since_time", "until"),
        codes=("not_found",),
    ),
    Operation(
        "access.me",
        "GET /v1/me",
        "Ask what one may do",
        governance.Me,
        takes=("namespace", "env"),
        codes=("not_found",),
    ),
    Operation(
        "access.list_tokens",
        "GET /v1/tokens",
        "List living tokens, newest first",
        leaves.Page[governance.Token],
        takes=_PAGE,
        codes=("forbidden",),
    ),
    _create("access.create_token", "POST /v1/tokens", "Make a token", governance.MadeToken, models.NewToken),
    Operation(
        "access.revoke_token",
        "DELETE /v1/tokens/{token_id}",
        "End a token",
        None,
        status=204,
        codes=("forbidden", "not_found"),
    ),
    Operation(
        "access.list_grants",
        "GET /v1/grants",
        "List grants of living tokens, newest first",
        leaves.Page[governance.Grant],
        takes=(*_PAGE, "token_id"),
        codes=("forbidden",),
    ),
    Operation(
        "access.create_grant",
        "POST /v1/grants",
        "Let a token do more",
        governance.MadeGrant,
        models.GrantForToken,
        201,
        gives=("Location",),
        codes=("forbidden",),
    ),
    Operation(
        "access.delete_grant",
        "DELETE /v1/grants/{grant_id}",
        "Take a grant back",
        None,
        status=204,
        codes=("forbidden", "not_found"),
    ),
    Operation("health.healthz", "GET /healthz", "Is the process up?", answers.Alive, anonymous=True),
    Operation("health.readyz", "GET /readyz", "Can it serve?", answers.Ready, anonymous=True, codes=("unavailable",)),
    Operation("metrics.read", "GET /metrics", "Read figures for Prometheus", answers.Metrics, media_type="text/plain"),
    Operation("openapi.document", "GET /openapi.json", "Read this document", answers.Document, anonymous=True),
)
