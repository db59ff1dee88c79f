"""Values between forms and the service: what an input shows, and what was typed into it."""

import json
from datetime import UTC, datetime

from configsvc.admin.rendering import shown
from configsvc.domain import strict_json
from configsvc.errors import Malformed, ValidationFailed

_NOTE_CHARACTERS_MAX = 2_000


def parse(text: str, type_: str, *, quoted: bool) -> object:
    """Return what was typed as a value of a type; whether it is one that the key may have, the service says.

    ``quoted``: a string that was written as JSON.

    Raises:
        ValidationFailed: it can't be read.
    """
    # Browsers send the ends of lines so.
    text = text.replace("\r\n", "\n")
    written = json.dumps(text, ensure_ascii=False) if type_ == "string" and not quoted else text.strip()
    if not written:
        raise ValidationFailed([("value", "is missing")])
    try:
        return strict_json.loads(written.encode())
    except Malformed as error:
        said = "must be a number" if type_ in ("int", "float") else error.detail.replace("the body is not", "is no")
        raise ValidationFailed([("value", said)]) from None


def to_edit(text: str | None, type_: str) -> str:
    """Return a stored value as its input shows it."""
    if text is None:
        return ""
    if type_ == "json":
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    return text if is_quoted(text, type_) else shown(text, type_)


def is_quoted(text: str | None, type_: str) -> bool:
    """Tell whether a string holds what a form would lose, so that it is edited as JSON."""
    if text is None or type_ != "string":
        return False
    return any(ord(character) < 32 and character not in "\n\t" for character in json.loads(text))


def note(text: str) -> str:
    """Return a note as history keeps it.

    Raises:
        ValidationFailed: it is too long, or holds what no text can.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > _NOTE_CHARACTERS_MAX:
        raise ValidationFailed([("note", f"has more than {_NOTE_CHARACTERS_MAX} characters")])
    if "\0" in text:
        raise ValidationFailed([("note", "holds the character NUL")])
    return text


def time(text: str | None, field: str) -> datetime | None:
    """Return a moment that was typed, in UTC where it names no zone; None if nothing was.

    Raises:
        ValidationFailed: it can't be read.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValidationFailed([(field, "must be a time, such as 2026-11-21T10:00")]) from None
