"""Messages from outside: signed push frames and sync answers, checked and turned into plain objects. Pure.

Verify first, parse second: no byte of a frame reaches the JSON parser before its signature held.
Unknown fields are ignored, so that a newer service may add some.
"""

import base64
import binascii
import hashlib
import math
import re
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import _json
from ._table import MISSING, Changes, Entry, Name

FRAME_BYTES_MAX: Final = 128 * 1024  # a part's list is at most 64 KiB; whatever is longer is no frame of ours
DOMAIN: Final = b"configsvc/push/v1\n"  # signed along, so that a signature made for another purpose never fits
NEXT_SYNC_S_RANGE: Final = (1.0, 300.0)  # what the service may ask for; beyond it, a slip would flood it or orphan us
REPORT_WITHIN_S_RANGE: Final = (0.0, 60.0)

_FRAME: Final = re.compile(rb"v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]{86})\.(.*)", re.DOTALL)

Keys = Mapping[str, Ed25519PublicKey]


class Malformed(ValueError):
    """The bytes are not what the protocol says."""


class BadFrame(Malformed):
    """A push message to drop."""


class UnknownSigner(BadFrame):
    """A push message signed by a key that no sync answer has named yet."""


@dataclass(frozen=True, slots=True)
class Header:
    """One release went by: who came before it, and which namespaces it touches. Repeated as a heartbeat."""

    env: str
    revision: int
    cursor: str
    previous: str | None
    namespaces: frozenset[str]
    beat: int
    size: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Part:
    """What one release changed in one namespace; `changes` is None where they were too long to push."""

    env: str
    namespace: str
    revision: int
    cursor: str
    changes: Changes | None
    size: int = field(default=0, compare=False)

    @property
    def has_all_values(self) -> bool:
        """False when only a sync can bring what this release changed: too long a list, or a secret."""
        if self.changes is None:
            return False
        return all(entry is None or entry.value is not MISSING for entry in self.changes.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sync request said about the state it was sent from."""

    have: str | None
    view: str | None


@dataclass(frozen=True, slots=True)
class PushOffer:
    """Where to listen, and whose signatures to believe. The URL holds a password."""

    url: str = field(repr=False)
    keys: Keys


@dataclass(frozen=True, slots=True)
class Answer:
    """One sync answer, with the request it answers. `changes` is the whole state when `kind` is "full"."""

    asked: Asked
    kind: str
    reset: bool
    revision: int
    cursor: str
    view: str
    changes: Changes
    next_sync_s: float
    report_within_s: float
    push: PushOffer | None


def changes_channel(namespace: str, env: str) -> str:
    return f"config:changes:{namespace}:{env}"


def releases_channel(env: str) -> str:
    return f"config:releases:{env}"


def read_frame(frame: bytes, channel: str, env: str, keys: Keys) -> Header | Part:
    """Verify and parse one push message. Raises BadFrame for one to drop, UnknownSigner for one of an unknown key."""
    if len(frame) > FRAME_BYTES_MAX:
        raise BadFrame(f"frame of {len(frame)} bytes")
    match = _FRAME.fullmatch(frame)
    if match is None:
        raise BadFrame("not a v1 frame")
    kid, signature, body = match.groups()
    key = keys.get(kid.decode("ascii"))
    if key is None:
        raise UnknownSigner(f"unknown signing key {kid.decode('ascii')}")
    try:
        key.verify(base64.urlsafe_b64decode(signature + b"=="), DOMAIN + body)
    except InvalidSignature:
        raise BadFrame("bad signature") from None
    try:
        return _read_message(_json.loads(body), channel, env, len(frame))
    except ValueError as error:
        raise BadFrame(str(error)) from None


def _read_message(message: Any, channel: str, env: str, size: int) -> Header | Part:
    if _text(message, "env") != env:
        raise Malformed("another environment's message")
    revision, cursor = _count(message, "revision"), _text(message, "cursor")
    if channel == releases_channel(env):
        namespaces = _list(message, "namespaces")
        if not all(isinstance(namespace, str) for namespace in namespaces):
            raise Malformed("namespaces holds something that is no name")
        previous = None if message.get("previous") is None else _text(message, "previous")
        return Header(env, revision, cursor, previous, frozenset(namespaces), _count(message, "beat"), size)
    namespace = _text(message, "namespace")
    if channel != changes_channel(namespace, env):
        raise Malformed("another channel's message")
    listed = message.get("changes", MISSING)
    changes = None if listed is None else _read_changes(namespace, _list(message, "changes"))
    return Part(env, namespace, revision, cursor, changes, size)


def read_answer(body: bytes, asked: Asked, namespaces: Collection[str]) -> Answer:
    """Parse the body of a 200 answer to POST /v1/sync. Raises Malformed."""
    try:
        answer = _json.loads(body)
    except ValueError:
        raise Malformed("the answer is not JSON") from None
    kind = _text(answer, "kind")
    return Answer(
        asked=asked,
        kind=kind,
        reset=answer.get("reset") is True,
        revision=_count(answer, "revision"),
        cursor=_text(answer, "cursor"),
        view=_text(answer, "view"),
        changes=_read_state(kind, answer, asked, namespaces),
        next_sync_s=_seconds(answer, "next_sync_s", NEXT_SYNC_S_RANGE),
        report_within_s=_seconds(answer, "report_within_s", REPORT_WITHIN_S_RANGE),
        push=_read_push(answer.get("push")),
    )


def _read_state(kind: str, answer: Any, asked: Asked, namespaces: Collection[str]) -> Changes:
    if kind == "full":
        values = _object(answer, "values")
        scopes = ((namespace, _object(values, namespace)) for namespace in namespaces)
        return {(namespace, key): read_entry(item) for namespace, scope in scopes for key, item in scope.items()}
    if asked.have is None:
        raise Malformed(f'"{kind}" in answer to a request that has nothing')
    if kind == "changes":
        changes = _object(answer, "changes")
        if not set(changes) <= set(namespaces):
            raise Malformed("changes of a namespace that was not asked for")
        lists = (_read_changes(namespace, _list(changes, namespace)) for namespace in changes)
        return {name: entry for merged in lists for name, entry in merged.items()}
    if kind == "none":
        return {}
    raise Malformed(f"unknown kind {kind[:20]!r}")


def _read_changes(namespace: str, listed: list[Any]) -> dict[Name, Entry | None]:
    """Oldest first, so that the last word on a key stands."""
    changes: dict[Name, Entry | None] = {}
    for change in listed:
        name = (namespace, _text(change, "key"))
        changes[name] = None if change.get("deleted") is True else read_entry(change)
    return changes


def read_entry(item: Any) -> Entry:
    """One key as it stands in a part, an answer, or a file. Raises Malformed."""
    # A load has 10,000 of them, hence each member by hand: with `_text` and `_count` it took a third longer.
    if not isinstance(item, dict):
        raise Malformed("no object around a value")
    type_, value, version = item.get("type"), item.get("value", MISSING), item.get("version")
    secret = item.get("secret") is True
    if type(version) is not int or version < 0:
        raise Malformed("version is no count")
    if value is MISSING:
        if not secret:
            raise Malformed("no value")
        type_ = item.get("type", "string")  # the short form of a secret without its value may leave it out
    if type(type_) is not str or not type_:
        raise Malformed("type is no text")
    frozen = MISSING if value is MISSING else read_value(type_, value)
    return Entry(sys.intern(type_), frozen, version, secret)  # one text for all: getters find it equal by its address


def read_value(type_: str, value: Any) -> Any:
    """The same, read-only. Raises Malformed where it is not of that type; one we don't know yet may hold anything."""
    plain = _PLAIN.get(type_)
    if plain is None:
        return _json.freeze(value)
    fits = type(value) is plain
    if fits and plain is int:
        fits = -(2**63) <= value < 2**63
    elif fits and plain is float:
        fits = math.isfinite(value)
    if not fits:
        raise Malformed(f"a value that is no {type_[:20]}")
    return value


_PLAIN: Final[Mapping[str, type]] = {"string": str, "int": int, "float": float, "bool": bool}


def _read_push(offer: Any) -> PushOffer | None:
    if offer is None:
        return None
    keys = _object(offer, "keys")
    return PushOffer(_text(offer, "url"), {kid: _read_key(kid, _text(keys, kid)) for kid in keys})


def _read_key(kid: str, text: str) -> Ed25519PublicKey:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError):
        raise Malformed("a signing key that is none") from None
    if hashlib.sha256(raw).hexdigest()[:16] != kid:
        raise Malformed("a signing key under another key's name")
    return key


def _field(item: Any, name: str) -> Any:
    if not isinstance(item, dict):
        raise Malformed(f"no object around {name}")
    if name not in item:
        raise Malformed(f"no {name}")
    return item[name]


def _text(item: Any, name: str) -> str:
    value = _field(item, name)
    if not isinstance(value, str) or not value:
        raise Malformed(f"{name} is no text")
    return value


def _count(item: Any, name: str) -> int:
    value = _field(item, name)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} is no count")
    return value


def _list(item: Any, name: str) -> list[Any]:
    value = _field(item, name)
    if not isinstance(value, list):
        raise Malformed(f"{name} is no list")
    return value


def _object(item: Any, name: str) -> dict[str, Any]:
    value = _field(item, name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object")
    return value


def _seconds(item: Any, name: str, bounds: tuple[float, float]) -> float:
    value = _field(item, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"{name} is no number")
    return min(max(float(value), bounds[0]), bounds[1])
