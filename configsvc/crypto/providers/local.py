"""KEKs in a file: several generations, the newest of which wraps (docs/operations.md).

The file is read at each use. So a new generation is noticed by all running processes without a signal, and no KEK stays
in memory; a data key that was unwrapped is kept (``datakeys``), so that this is rare.
"""

import base64
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path, PurePath

from configsvc.crypto import private_file
from configsvc.crypto.aead import NONCE_BYTES, Broken, Key, encode
from configsvc.crypto.providers.provider import Context, Wrapped
from configsvc.errors import CannotOpen, SetupError, Unavailable

_FORMAT = "configsvc keys v1"
_WRAP = "configsvc/wrap/v1"
_PREFIX = "local:"


def create(path: Path) -> str:
    """Write a key file with one new KEK, readable by its owner alone, and return the KEK's id.

    Raises:
        SetupError: the file is there already, or can't be written.
    """
    key = Key.generate()
    private_file.create(path, _render([_entry(key)]))
    return _kek_id(key)


def add_generation(path: Path) -> str:
    """Add a new KEK, which wraps from now on, and return its id. All running processes have it at their next use.

    Raises:
        SetupError: the file can't be used or written.
    """
    path = path.resolve()  # else a link would be replaced by a file
    with private_file.locked_folder(path):
        entries = _entries(path)
        key = Key.generate()
        private_file.replace(path, _render([*entries, _entry(key)]))
    return _kek_id(key)


class LocalKeys:
    """Wraps with the keys of a file."""

    def __init__(self, path: PurePath) -> None:
        """Read the file once, so that a wrong one is refused at the start.

        Raises:
            SetupError: it is missing, damaged, somebody else's, or others may use it.
        """
        self._path = Path(path)
        _load(self._path)

    def current_kek(self) -> str:
        """Return the id of the file's newest key."""
        return next(reversed(self._keys()))

    def wrap(self, material: bytes, context: Context) -> Wrapped:
        """Encrypt a key with the file's newest one."""
        kek_id, key = next(reversed(self._keys().items()))
        nonce = os.urandom(NONCE_BYTES)
        return Wrapped(kek_id, nonce + key.encrypt(nonce, material, _associated(context)))

    def unwrap(self, wrapped: Wrapped, context: Context) -> bytes:
        """Decrypt a key with the one of the file that it is under."""
        key = self._keys().get(wrapped.kek_id)
        if key is None:
            raise CannotOpen(f"the key {wrapped.kek_id} is not in {self._path}: put back the file that has it")
        try:
            return key.decrypt(wrapped.blob[:NONCE_BYTES], wrapped.blob[NONCE_BYTES:], _associated(context))
        except Broken:
            raise CannotOpen(f"a data key does not open with {wrapped.kek_id}: it was moved or damaged") from None

    def rewrap(self, wrapped: Wrapped, context: Context) -> Wrapped:
        """Decrypt, and encrypt with the newest one."""
        return self.wrap(self.unwrap(wrapped, context), context)

    def __repr__(self) -> str:
        return f"LocalKeys({str(self._path)!r})"

    def _keys(self) -> dict[str, Key]:
        try:
            return _load(self._path)
        except SetupError as error:
            raise Unavailable(f"the local key file can't be used: {error}") from error


def _load(path: Path) -> dict[str, Key]:
    """KEK id → key, the newest last."""
    return {entry["id"]: Key(base64.b64decode(entry["key"])) for entry in _entries(path)}


def _entries(path: Path) -> list[dict[str, str]]:
    """The file's keys as they stand in it, oldest first, each of them whole."""
    try:
        document = json.loads(private_file.read(path))
        entries: list[dict[str, str]] = document["keys"]
        whole = [_kek_id(Key(base64.b64decode(entry["key"], validate=True))) == entry["id"] for entry in entries]
        good = document["format"] == _FORMAT and whole and all(whole)
    except (ValueError, KeyError, TypeError):
        # What was wrong with it would quote from it.
        good, entries = False, []
    if not good:
        raise SetupError(f"{path} is damaged, or no key file: `configsvc keys init FILE` makes one")
    return entries


def _entry(key: Key) -> dict[str, str]:
    return {
        "id": _kek_id(key),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "key": base64.b64encode(key.expose()).decode(),
    }


def _render(entries: list[dict[str, str]]) -> bytes:
    return json.dumps({"format": _FORMAT, "keys": entries}, indent=1).encode() + b"\n"


def _kek_id(key: Key) -> str:
    """Made of the key itself: another key never goes by the same id. 256 random bits can't be guessed from it."""
    return _PREFIX + hashlib.sha256(b"configsvc/kek-id/v1\n" + key.expose()).hexdigest()[:16]


def _associated(context: Context) -> bytes:
    return encode(_WRAP, *(part for item in sorted(context.items()) for part in item))
