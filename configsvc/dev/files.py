"""The data folder of `configsvc dev`: who uses it, which layout it has, and what is kept in it between runs."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from configsvc.dev import ports
from configsvc.errors import SetupError

#: Grows when a newer configsvc can't be undone to this one in the same folder.
LAYOUT = 1
#: After a SIGKILL the reaper ends the servers, within 5 s; only then may the next run begin.
_REAPED_WITHIN_S = 6.0
_POLL_S = 0.05


def write_private(path: Path, text: str) -> None:
    """Put a file there whole, by rename, readable by its owner alone."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        # The passwords in it can't be made again: an empty file after a power cut would lock the database for ever.
        os.fsync(file.fileno())
    scratch.rename(path)


class DataDir:
    """A data folder, locked for this process until ``close``.

    Raises:
        SetupError: it can't be written, is in use, is somebody else's, or was made by a newer configsvc.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.shown = path
        try:
            # Others may pass through (the server that root runs as nobody has its data here) and read nothing.
            self.path.mkdir(parents=True, exist_ok=True, mode=0o711)
            self._check_ours()
            self.lock_fd = self._lock()
            write_private(self.path / "layout", f"{LAYOUT}\n")
            self.logs = self.path / "logs"
            self.logs.mkdir(exist_ok=True, mode=0o700)
            self._kept: dict[str, Any] = self._read()
        except OSError as error:
            raise SetupError(f"can't use {path} as data folder: {error.strerror}; --data-dir names another") from error

    def close(self) -> None:
        """Give the folder free."""
        os.close(self.lock_fd)

    def secret(self, name: str) -> str:
        """A password that stays the same for the life of this folder."""
        return str(self._keep("secrets", name, lambda kept: kept or secrets.token_urlsafe(24)))

    def port(self, name: str) -> int:
        """A free port: the one of the last run where possible."""
        return int(self._keep("ports", name, ports.free_port))

    @property
    def tokens(self) -> dict[str, str] | None:
        """The sample tokens by role, None before there are any."""
        return self._kept.get("tokens")

    def keep_tokens(self, tokens: dict[str, str]) -> None:
        """Keep the sample tokens for the next run."""
        self._kept["tokens"] = tokens
        self._write()

    def _keep(self, kind: str, name: str, choose: Any) -> Any:
        kept = self._kept.setdefault(kind, {})
        chosen = choose(kept.get(name))
        if chosen != kept.get(name):
            kept[name] = chosen
            self._write()
        return chosen

    def _check_ours(self) -> None:
        try:
            layout = int((self.path / "layout").read_text("utf-8"))
        except FileNotFoundError:
            # An interrupted first run leaves a lock and nothing else.
            if any(entry.name != "lock" for entry in self.path.iterdir()):
                raise SetupError(
                    f"{self.shown} holds something else than configsvc's data; --data-dir names another folder"
                ) from None
            return
        except ValueError:
            layout = -1
        if layout != LAYOUT:
            raise SetupError(
                f"{self.shown} is of another version of configsvc (layout {layout}, here {LAYOUT}): "
                "use that version, or name another folder with --data-dir"
            )

    def _lock(self) -> int:
        lock_fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _REAPED_WITHIN_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.truncate(lock_fd, 0)
                os.pwrite(lock_fd, str(os.getpid()).encode(), 0)
                return lock_fd
            owner = os.pread(lock_fd, 20, 0).decode()
            if _is_alive(owner) or time.monotonic() > deadline:
                os.close(lock_fd)
                raise SetupError(
                    f"{self.shown} is in use by another `configsvc dev` (process {owner or 'starting'}): "
                    "stop that one, or name another folder with --data-dir"
                )
            time.sleep(_POLL_S)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.path / "kept.json").read_text("utf-8")))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise SetupError(f"{self.shown / 'kept.json'} is damaged: mend it, or remove {self.shown}") from error

    def _write(self) -> None:
        write_private(self.path / "kept.json", json.dumps(self._kept, indent=1))


def _is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
