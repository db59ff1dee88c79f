"""The door: what comes in with a request, as clean data or as a clear error."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from flask import Request
from pydantic import BaseModel, ValidationError

from configsvc.domain import names, strict_json
from configsvc.errors import Malformed, PayloadTooLarge, ValidationFailed
from configsvc.service.edits import ERRORS_MAX
from configsvc.service.writes import Condition

#: One request body: four times the largest value, and small enough to hold many at once.
BODY_BYTES_MAX = 1024 * 1024
BODY_TOO_LARGE = f"the body is larger than {BODY_BYTES_MAX} bytes"
#: Longer than every path of the contract; a client may send any name for a field.
_PATH_CHARACTERS_MAX = 100
#: A whole number in an address: what Postgres holds in 64 bits, without a look at its value.
NUMBER = re.compile(r"[0-9]{1,18}")
NUMBER_MAX = 10**18 - 1
TIME_RULE = "a time with its zone, such as 2026-11-21T10:00:00Z"
#: One page of a list.
LIMIT_MAX, LIMIT_DEFAULT = 500, 100
#: Longer than every name of a token.
WORD_CHARACTERS_MAX = 200
_WORD = re.compile(rf"(?s:.{{1,{WORD_CHARACTERS_MAX}}})")
#: Longer than any UUID or ULID; it becomes part of a primary key.
IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")

#: A scope's cursor or one key's version, as our ETags have them. No named groups: JSON Schema doesn't know them.
ETAG = re.compile(r'(?:W/)?"(?:r([0-9]+\.[0-9a-f]{16})|v([0-9]{1,9}))(?:\.m)?"')

Model = TypeVar("Model", bound=BaseModel)


def body(request: Request, model: type[Model], *, optional: bool = False) -> Model:
    """Return the request's body as ``model``.

    Raises:
        PayloadTooLarge: it is over ``BODY_BYTES_MAX``.
        Malformed: it is not strict JSON.
        ValidationFailed: it is, but breaks the contract; every field is named.
    """
    data = request.get_data(cache=True)
    return model() if optional and not data else parse(data, model)


def parse(data: bytes, model: type[Model]) -> Model:
    """Return a body as ``model``; see ``body``."""
    if len(data) > BODY_BYTES_MAX:
        raise PayloadTooLarge(BODY_TOO_LARGE)
    try:
        return model.model_validate(strict_json.loads(data))
    except ValidationError as error:
        # pydantic would quote the input, which may hold a secret.
        errors = error.errors(include_input=False, include_url=False, include_context=False)
        raise ValidationFailed([(_path(part["loc"]), _sentence(part["msg"])) for part in errors[:ERRORS_MAX]]) from None


def parameters(request: Request, known: Collection[str] = ()) -> dict[str, str]:
    """Return the query parameters; an unknown or repeated one is refused, so that a slip is no silent no.

    Raises:
        Malformed: with the name.
    """
    if not request.query_string:
        return {}
    for name in request.args:
        if name not in known:
            takes = f"takes {', '.join(sorted(known))}" if known else "takes none"
            raise Malformed(f"the query parameter {name[:50]!r} is unknown: this call {takes}")
        if len(request.args.getlist(name)) > 1:
            raise Malformed(f"the query parameter {name} stands twice")
    return request.args.to_dict()


def number(given: dict[str, str], name: str, default: int, low: int, high: int) -> int:
    """Return a whole number from the query parameters, within its bounds."""
    text = given.get(name)
    if text is None:
        return default
    if not NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise Malformed(f"{name} must be a whole number from {low} to {high}")
    return int(text)


def revision(text: str, name: str = "revision") -> int:
    """Return a revision from the path or the query."""
    return number({name: text}, name, 0, 0, NUMBER_MAX)


def page(request: Request, more: Collection[str] = ()) -> tuple[int, int]:
    """Return where a list's page begins (ids below it) and how many items it holds; ``more``: further parameters."""
    given = parameters(request, ("limit", "cursor", *more))
    return number(given, "cursor", NUMBER_MAX, 0, NUMBER_MAX), number(given, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)


def flag(given: dict[str, str], name: str) -> bool:
    """Return a switch from the query parameters: true or false, off without it."""
    text = given.get(name, "false")
    if text not in ("true", "false"):
        raise Malformed(f"{name} must be true or false")
    return text == "true"


def namespace(given: Mapping[str, str]) -> str | None:
    """Return the namespace that a list is narrowed to, None without one."""
    return _named(given, "namespace", names.NAMESPACE, names.NAMESPACE_RULE)


def env(given: Mapping[str, str]) -> str | None:
    """Return the environment that a list is narrowed to, None without one."""
    return _named(given, "env", names.ENV, names.ENV_RULE)


def envs(given: Mapping[str, str], low: int, high: int) -> list[str]:
    """Return the environments that a call is about, in their order, each once."""
    named = given.get("envs", "").split(",")
    if not low <= len(named) <= high or len({*named}) < len(named) or not all(map(names.ENV.fullmatch, named)):
        raise Malformed(f"envs must be {low} to {high} environments, each once, such as staging,production")
    return named


def key(given: Mapping[str, str]) -> str | None:
    """Return the key that a list is narrowed to, None without one."""
    return _named(given, "key", names.KEY, names.KEY_RULE)


def word(given: Mapping[str, str], name: str) -> str | None:
    """Return what a list is narrowed to by a word of ours, such as a token's name; None without one."""
    return _named(given, name, _WORD, f"1 to {WORD_CHARACTERS_MAX} characters")


def _named(given: Mapping[str, str], name: str, rule: re.Pattern[str], says: str) -> str | None:
    text = given.get(name)
    if text is not None and not rule.fullmatch(text):
        raise Malformed(f"{name} must be {says}")
    return text


def moment(given: dict[str, str]) -> int | datetime | None:
    """Return which state is asked for with ``revision`` or ``at``, None for the present one."""
    if "revision" in given and "at" in given:
        raise Malformed("give revision or at, not both")
    if "at" in given:
        return time_of(given, "at")
    return revision(given["revision"]) if "revision" in given else None


def time_of(given: Mapping[str, str], name: str) -> datetime | None:
    """Return a moment from the query parameters, None without one."""
    if name not in given:
        return None
    if (moment := parse_time(given[name])) is None:
        raise Malformed(f"{name} must be {TIME_RULE} (write + as %2B)")
    return moment


def parse_time(text: str) -> datetime | None:
    """Return a moment that is written with its zone, None if it is none."""
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if moment.tzinfo is None else moment


def condition(request: Request) -> Condition:
    """Return the If-Match of a write: a scope's ETag or one key's; a mask suffix and ``W/`` say nothing about it."""
    header = request.headers.get("If-Match")
    if header is None:
        return Condition()
    match = ETAG.fullmatch(header.strip())
    if match is None:
        raise Malformed('If-Match takes one ETag as this service gives it, such as "r46.9f3a5c0d1e2b4f60" or "v8"')
    cursor, version = match.groups()
    return Condition(cursor, int(version) if version else None)


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key of a write."""
    header = request.headers.get("Idempotency-Key")
    if header is not None and not IDEMPOTENCY_KEY.fullmatch(header):
        raise Malformed("Idempotency-Key takes 1 to 200 visible ASCII characters, such as a UUID")
    return header


def _path(location: tuple[str | int, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path[:_PATH_CHARACTERS_MAX]


def _sentence(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
