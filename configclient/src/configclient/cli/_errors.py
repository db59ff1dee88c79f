"""What went wrong → one line that says what to do next, and an exit code. PURE: no I/O."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes: a promise to scripts, listed in ``configctl --help`` and docs/configctl.md."""

    OK = 0
    UNAVAILABLE = 1
    USAGE = 2
    NOT_FOUND = 3
    FORBIDDEN = 4
    CONFLICT = 5
    INVALID = 6
    NOT_EVERYWHERE = 7


EXIT_CODES = """\
  0  done
  1  no answer, or not the one expected: try again, or look at the service
  2  wrong usage
  3  not found
  4  forbidden, or the token is not known
  5  conflict: something else changed first, or a review is required
  6  the value was not accepted
  7  done, but not every instance has it (--wait)"""

# From here on the service says how to propose a change over HTTP, which configctl does itself.
BY_HAND = ": POST "

# One line names this many conflicts; more would not be read.
CONFLICTS_SHOWN_MAX = 10


class CliError(Exception):
    """The command cannot do what it was asked. ``str(failure)`` is one line for people.

    ``code``: the service's word for what went wrong, empty where it was not the service. ``request_url``: where to
    propose what takes a review.
    """

    def __init__(self, message: str, exit_code: Exit, code: str = "", request_url: str = "") -> None:
        super().__init__(one_line(message))
        self.exit_code = exit_code
        self.code = code
        self.request_url = request_url


EXIT_BY_STATUS = {
    400: Exit.INVALID,
    401: Exit.FORBIDDEN,
    403: Exit.FORBIDDEN,
    404: Exit.NOT_FOUND,
    409: Exit.CONFLICT,
    412: Exit.CONFLICT,
    413: Exit.INVALID,
    422: Exit.INVALID,
}

NEXT_STEP_BY_CODE = {
    "unauthenticated": "check CONFIGSVC_TOKEN, or `configctl login` again",
    "forbidden": "ask an admin for a grant that allows it",
    "not_found": "check the names, and that your token may see them",
    "conflict": "look at what is there, then try again",
    "payload_too_large": "send less",
    "rate_limited": "try again later",
    "unavailable": "try again later",
}


def from_problem(status: int, problem: Mapping[str, Any], retry_after: str | None = None) -> CliError:
    """The failure that a problem document (RFC 9457) describes; an unknown ``code`` still gives its text."""
    parts = [_what_happened(status, problem), _next_step(problem, retry_after)]
    return CliError(
        "; ".join(part.rstrip(".") for part in parts if part),
        EXIT_BY_STATUS.get(status, Exit.UNAVAILABLE),
        str(problem.get("code", "")),
        str(problem.get("request_url", "")),
    )


def one_line(text: str) -> str:
    """``text`` without anything that moves the cursor: a server's words must not drive the terminal."""
    return "".join(char if char.isprintable() else " " for char in text).strip()


def _what_happened(status: int, problem: Mapping[str, Any]) -> str:
    detail = str(problem.get("detail") or problem.get("title") or f"the service answered {status}")
    detail = detail.partition(BY_HAND)[0]
    if conflicts := _conflicts(problem):
        shown = [f"{each['namespace']}/{each['key']} (revision {each['revision']})" for each in conflicts]
        more = [f"and {len(shown) - CONFLICTS_SHOWN_MAX} more"] if len(shown) > CONFLICTS_SHOWN_MAX else []
        return f"{detail.rstrip('.')}: {', '.join(shown[:CONFLICTS_SHOWN_MAX] + more)}"
    errors = problem.get("errors")
    if not isinstance(errors, list) or not errors:
        return detail
    fields = ", ".join(_field_error(error) for error in errors)
    # Often the detail is the first of the errors.
    return fields if detail in fields else f"{detail.rstrip('.')}: {fields}"


def _conflicts(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The keys that later releases touched, which keep a release from being undone alone."""
    conflicts = problem.get("conflicts")
    return conflicts if isinstance(conflicts, list) else []


def _field_error(error: object) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    field, message = error.get("field"), error.get("message", "")
    return f"{field}: {message}" if field else str(message)


def _next_step(problem: Mapping[str, Any], retry_after: str | None) -> str | None:
    if _conflicts(problem):
        return None  # the detail says it
    code = problem.get("code")
    if BY_HAND in str(problem.get("detail")):
        return f"--yes proposes it{'' if code == 'forbidden' else '; in an emergency, --break-glass writes it at once'}"
    if code == "internal" and problem.get("request_id"):
        return f"look for request {problem['request_id']} there"
    if retry_after is not None and retry_after.isdecimal():
        return f"try again in {retry_after} s"
    return NEXT_STEP_BY_CODE.get(str(code))
