"""Files with keys: readable by their owner alone, there whole or not at all, never overwritten by mistake."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from configsvc.errors import SetupError

_OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read(path: Path) -> bytes:
    """Return what is in a file that only its owner may use.

    Raises:
        SetupError: it can't be read, is no file, is somebody else's, or others may use it.
    """
    try:
        # Opening a pipe would otherwise wait for a writer for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            _check(path, os.fstat(file.fileno()))
            return file.read()
    except OSError as error:
        raise SetupError(f"{path} can't be read: {error.strerror}") from error


def create(path: Path, content: bytes) -> None:
    """Put a new file there.

    Raises:
        SetupError: the file is there already, or can't be written.
    """
    with _scratch(path, content) as scratch:
        try:
            # Unlike a rename, a link never takes the place of a file that is there.
            path.hardlink_to(scratch)
        except FileExistsError:
            raise SetupError(f"{path} is there already, and a key is never overwritten: choose another file") from None


def replace(path: Path, content: bytes) -> None:
    """Put another content in the place of a file's, at once for all readers.

    Raises:
        SetupError: it can't be written.
    """
    with _scratch(path, content) as scratch:
        scratch.replace(path)


@contextlib.contextmanager
def locked_folder(path: Path) -> Iterator[None]:
    """Let one process at a time read and replace files beside ``path``.

    Raises:
        SetupError: the folder isn't there.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise SetupError(f"{path.parent} can't be opened: {error.strerror}") from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _check(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise SetupError(f"{path} is no file that a key could be in")
    if mode & _OPEN_TO_OTHERS:
        raise SetupError(f"{path} can be used by others than its owner (mode {mode:04o}): chmod 600 {path}")
    # Root may change every file anyway, so what it put there is as good as ours.
    if status.st_uid not in (os.geteuid(), 0):
        raise SetupError(f"{path} belongs to user {status.st_uid}, and this process runs as user {os.geteuid()}")


@contextlib.contextmanager
def _scratch(path: Path, content: bytes) -> Iterator[Path]:
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.unlink(missing_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            # Keys can't be made again: after a power cut they are there, or the command had not ended.
            os.fsync(file.fileno())
        yield scratch
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SetupError(f"{path} can't be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            scratch.unlink(missing_ok=True)
