"""Running a server as nobody when we are root, wherever its files lie.

A clone of root often lies under a folder that only root may enter (``/root``, ``mktemp -d``). Opening such folders to
all would expose what else is in them. So the server gets one capability, to pass through folders; it owns nothing but
its data.
"""

import os
import pwd
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configsvc.errors import SetupError

#: In order of preference. Containers often withhold the first and have the second.
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


@dataclass(frozen=True)
class Drop:
    """Who to become, and the words to put before a command to become it."""

    uid: int
    gid: int
    prefix: Sequence[str]

    def own(self, path: Path) -> None:
        """Give a file or folder to that user."""
        os.chown(path, self.uid, self.gid)


def drop(*paths: Path) -> Drop:
    """How to run a server that needs these files and folders. Who isn't root stays who they are.

    Raises:
        SetupError: root, on a system where this can't be done.
    """
    if os.geteuid() != 0:
        return Drop(os.geteuid(), os.getegid(), ())
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise SetupError(
            "root can't run Postgres, and setpriv (util-linux) is not here to drop to nobody: use another user"
        )
    nobody = pwd.getpwnam("nobody")
    prefix = [setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if closed := [path for path in paths if not _open_to_all(path)]:
        name = _capability(closed[0])
        # Without no_setuid_fixup, access(2), by which Postgres checks its own files, ignores capabilities for who isn't
        # root.
        prefix += [f"--inh-caps=+{name}", f"--ambient-caps=+{name}", "--securebits=+no_setuid_fixup"]
    return Drop(nobody.pw_uid, nobody.pw_gid, (*prefix, "--"))


def _open_to_all(path: Path) -> bool:
    """Whether everybody may pass through all folders on the way there."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _capability(path: Path) -> str:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    permitted = int(status["CapPrm"], 16)
    for name, bit in _CAPABILITIES.items():
        if permitted >> bit & 1:
            return name
    raise SetupError(
        f"nobody, who runs the servers for root, can't pass through the folders above {path}: use another place or user"
    )
