"""Ends what the supervisor started when the supervisor is gone, even by SIGKILL.

Runs as a process and a session of its own, from the standard library alone, so that it starts in milliseconds. Its
standard input is a pipe whose other end the supervisor holds. Lines: ``<pid> <signal>`` for a new process group,
``-<pid>`` for one that has ended, ``!<path>`` for a file or folder that only means something while the supervisor
lives. At the end of input those files are removed, and every group that is left gets its signal, then SIGCONT in case
it is frozen, and soon after that SIGKILL; then the folders are removed, in which nobody writes any more.
"""

import contextlib
import os
import signal
import sys
import time

#: Postgres needs a moment to end its children after SIGQUIT; the promise is that nothing is left after 5 s.
_GRACE_S = 2.5
_POLL_S = 0.05


def _signal_group(pid: int, number: int) -> bool:
    """Send it to the group; False when nobody is left there."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        # macOS refuses the permission for a group whose only member is a zombie.
        return False
    return True


def main() -> None:
    """Read registrations until the supervisor is gone, then end what is left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: dict[int, int] = {}
    files: list[str] = []
    for line in sys.stdin:
        if line.startswith("-"):
            groups.pop(int(line[1:]), None)
        elif line.startswith("!"):
            files.append(line[1:].rstrip("\n"))
        else:
            pid, number = line.split()
            groups[int(pid)] = int(number)
    for file in files:
        with contextlib.suppress(OSError):
            os.unlink(file)  # noqa: PTH108  # pathlib would triple the time to start
    for pid, number in groups.items():
        _signal_group(pid, number)
        _signal_group(pid, signal.SIGCONT)
    deadline = time.monotonic() + _GRACE_S
    while groups and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        groups = {pid: number for pid, number in groups.items() if _signal_group(pid, 0)}
    for pid in groups:
        _signal_group(pid, signal.SIGKILL)
    if folders := [file for file in files if os.path.isdir(file)]:  # noqa: PTH112
        import shutil

        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
