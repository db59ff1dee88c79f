"""The last good state on disk, for a start while the service is down. One file per service, URL, env and namespaces.

A file is lines of JSON, below a first line that names the format and seals the rest:

    configclient-cache 1 <SHA-256 of all that follows, in hex>
    {"service": …, "url": …, "env": …, "namespaces": […], "revision": 41, "cursor": "41.9f3a…"}
    {"namespace": "payments", "key": "rate_limit", "type": "int", "value": 120, "version": 8, "secret": false}

Line by line, so that writing megabytes never keeps the interpreter from other threads for long. Secrets are listed
without their values.

| what is wrong | what happens |
| --- | --- |
| a file is truncated, flipped, too long, of another format, of another client, or somebody else may write it | not used; one line in the log |
| the folder can't be written | one line in the log, and another try later |
| killed while writing | the old file stays; what was half written is swept up after an hour |
| several processes write | each file is whole, the last one stays; who finds the same content there doesn't write |
"""  # noqa: E501 - a table's row is one line

import hashlib
import json
import logging
import math
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from . import _json
from ._messages import Malformed, read_entry
from ._settings import Settings
from ._sync import BYTES_PER_NAMESPACE_MAX
from ._table import MISSING, Entries, Entry, Name, Table

log = logging.getLogger("configclient")

MAGIC: Final = b"configclient-cache"
FORMAT: Final = b"1"
SAVE_EVERY_S: Final = 5.0  # a storm of releases must not become a storm of fsyncs
LEFT_OVER_S: Final = 3600.0  # nobody writes for that long: a temporary file of that age is a killed process's
NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)  # a FIFO in the file's place must not hold up a start
NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


class Cache:
    """One client's file. `load` is called once, at the start; the rest by the refresher's thread. Nothing raises."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._identity = {
            "service": settings.service,
            "url": str(settings.url),  # two installations may both have a "production"
            "env": settings.env,
            "namespaces": sorted(settings.namespaces),
        }
        digest = hashlib.sha256(json.dumps(self._identity, sort_keys=True).encode()).hexdigest()
        self._path = folder / f"configclient-{settings.env}-{digest[:32]}.cache"
        self._bytes_max = BYTES_PER_NAMESPACE_MAX * len(settings.namespaces)
        self._saved: Entries | None = None
        self._not_before = 0.0
        self._fault: str | None = None

    def __repr__(self) -> str:
        return str(self._path)

    # Reading.

    def load(self) -> Table | None:
        """The table on disk; None when there is none that can be trusted."""
        try:
            table = self._parse(self._read())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("the cache %s is not used: %s", self._path, error)
            return None
        self._saved = table.entries
        return table

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | NONBLOCK | NOFOLLOW)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise Malformed("it is no plain file")
            if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & 0o022):
                raise Malformed("others than its owner, this user, may write it")
            if found.st_size > self._bytes_max:
                raise Malformed(f"it has more than {self._bytes_max} bytes")
            return file.read(self._bytes_max)

    def _parse(self, content: bytes) -> Table:
        first, _, rest = content.partition(b"\n")
        magic, _, sealed = first.partition(b" ")
        format_, _, seal = sealed.partition(b" ")
        if magic != MAGIC:
            raise Malformed("it is no cache of configclient")
        if format_ != FORMAT:
            raise Malformed("it has a format that this version does not know")
        if seal != _seal([rest]):
            raise Malformed("it is damaged")
        try:
            return self._table(*map(_json.loads, rest.splitlines()))
        except (AttributeError, LookupError, TypeError):
            raise Malformed("it is sealed, but holds something else") from None

    def _table(self, about: dict[str, Any], *lines: dict[str, Any]) -> Table:
        if {name: about.get(name) for name in self._identity} != self._identity:
            raise Malformed("it belongs to another client")
        entries = {(line["namespace"], line["key"]): read_entry(line) for line in lines}
        return Table.of(about["revision"], about["cursor"], entries)

    # Writing.

    def save_at(self, table: Table) -> float:
        """When this table is to be saved (monotonic seconds); infinity when it differs by its revision at most."""
        return math.inf if table.entries is self._saved else self._not_before

    def save(self, table: Table, now: float) -> None:
        """Write the file anew, unless that is what it holds."""
        self._not_before = now + SAVE_EVERY_S
        lines = list(self._lines(table))
        first = b" ".join((MAGIC, FORMAT, _seal(lines))) + b"\n"
        try:
            if not self._begins_with(first):
                self._write([first, *lines])
        except OSError as error:
            self._blame(error.strerror or type(error).__name__)
        else:
            self._saved = table.entries
            self._blame(None)

    def _lines(self, table: Table) -> Iterator[bytes]:
        yield _line({**self._identity, "revision": table.revision, "cursor": table.cursor})
        for name, entry in table.entries.items():
            yield _line(_listed(name, entry))

    def _begins_with(self, first: bytes) -> bool:
        """Another process that shares the file may have been quicker."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            return file.read(len(first)) == first
        return False

    def _write(self, lines: list[bytes]) -> None:
        folder = self._path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._sweep(folder)
        descriptor, temporary = tempfile.mkstemp(".tmp", f"{self._path.name}.", folder)  # 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(lines)
                file.flush()
                # When the power fails, everything is down: that is the day this file is for.
                os.fsync(descriptor)
            Path(temporary).replace(self._path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise

    def _sweep(self, folder: Path) -> None:
        for left_over in folder.glob(f"{self._path.name}.*.tmp"):
            with suppress(OSError):  # another process sweeps too
                if time.time() - left_over.stat().st_mtime > LEFT_OVER_S:
                    left_over.unlink()

    def _blame(self, fault: str | None) -> None:
        if fault is not None and fault != self._fault:
            log.warning("the cache %s can't be written: %s", self._path, fault)
        self._fault = fault


def _listed(name: Name, entry: Entry) -> dict[str, Any]:
    namespace, key = name
    item = {"namespace": namespace, "key": key, "type": entry.type, "version": entry.version, "secret": entry.secret}
    return item if entry.secret or entry.value is MISSING else {**item, "value": entry.value}


def _line(item: dict[str, Any]) -> bytes:
    return json.dumps(item).encode("ascii") + b"\n"


def _seal(parts: list[bytes]) -> bytes:
    sha256 = hashlib.sha256()
    for part in parts:
        sha256.update(part)
    return sha256.hexdigest().encode("ascii")
