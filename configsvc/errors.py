"""Every error that a caller can meet, by whose fault it is. The HTTP status of each is in ``api/problems.py``."""

from collections.abc import Mapping, Sequence


class SetupError(Exception):
    """The operator has to change something. The message is one line that says what."""


class RequestError(Exception):
    """A request that gets no success; ``code`` is the stable name that programs act on."""

    code = "internal"
    #: When to try again, in seconds; None: not before something else has changed.
    retry_after_s: int | None = None
    #: Environment and namespaces that it was about, for the audit trail; None: those that the address names.
    place: tuple[str, tuple[str, ...]] | None = None

    def __init__(self, detail: str, **extra: object) -> None:
        """``detail`` says what to do; ``extra`` becomes further members of the problem document."""
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, object] = extra


class Malformed(RequestError):
    """The bytes are not strict JSON, or a parameter can't be read."""

    code = "malformed"


class Unauthenticated(RequestError):
    """No token, or none that is valid."""

    code = "unauthenticated"


class Forbidden(RequestError):
    """The caller may see the thing, but not do this to it."""

    code = "forbidden"


class NotFound(RequestError):
    """It isn't there, or the caller has no grant on it: the two look the same."""

    code = "not_found"


class Hidden(NotFound):
    """The caller has no grant on it. Nobody but the audit trail learns the difference."""


class ReviewRequired(RequestError):
    """The environment is protected: the change has to be proposed."""

    code = "review_required"

    def __init__(self, env: str, detail: str | None = None) -> None:
        """``detail``: where something else is to be done than to propose it."""
        super().__init__(
            detail
            or f"{env} is protected: POST the change to /v1/envs/{env}/requests, where somebody else approves it; "
            'in an emergency, say why in "break_glass": {"reason"}',
            request_url=f"/v1/envs/{env}/requests",
        )


class Conflict(RequestError):
    """It contradicts what is there."""

    code = "conflict"


class NotApproved(Conflict):
    """A change request may not be applied as it stands."""


class RevisionMismatch(RequestError):
    """An If-Match does not hold: somebody else changed it meanwhile."""

    code = "revision_mismatch"


class PayloadTooLarge(RequestError):
    """More bytes or items than the named limit."""

    code = "payload_too_large"


class ValidationFailed(RequestError):
    """Good JSON that breaks the contract."""

    code = "validation_failed"

    def __init__(self, errors: Sequence[tuple[str, str]], detail: str = "") -> None:
        """``errors`` are (field, message) pairs; the field is a path such as ``changes[2].value``."""
        self.errors = tuple(errors)
        first_field, first_message = errors[0]
        super().__init__(
            detail or (f"{first_field}: {first_message}" if first_field else first_message),
            errors=[{"field": field, "message": message} for field, message in errors],
        )


class RateLimited(RequestError):
    """More than one caller may have at a time. Trying again is right, later."""

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after_s: int) -> None:
        """``detail`` says what to do."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(RequestError):
    """A part that this needs does not answer now. Trying again is right."""

    code = "unavailable"
    retry_after_s = 1


class CannotOpen(Unavailable):
    """A secret, or the key that it is under, does not open: it was moved or damaged, or its key is lost or refused.

    The message names key ids, never anything of a key. Trying again helps only after somebody has mended it.
    """


class StalePlan(Exception):
    """What a plan was made from has changed; it has to be made again. Never leaves the service."""
