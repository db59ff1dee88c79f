"""The supervisor, with small programs in place of servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from configsvc.dev.process import Program, descendants
from configsvc.dev.supervisor import Supervisor
from configsvc.errors import SetupError
from tests.integration.dev.running import assert_gone, eventually, is_running

#: Tells that it runs by making a file, then waits for ever.
_WAITS = 'echo "$$" > "$0"; exec sleep 600'
#: Neither it nor its child listens to SIGTERM.
_STUBBORN = 'trap "" TERM; sleep 600 & echo "$$" > "$0"; wait; wait'


@pytest.fixture
def reports() -> list[str]:
    """The lines that the supervisor reported."""
    return []


@pytest.fixture
def supervisor(tmp_path: Path, reports: list[str]) -> Iterator[Supervisor]:
    """A supervisor without programs."""
    with Supervisor(tmp_path, reports.append) as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Program]:
    """Makes a program from a shell script; it answers once it has written its file."""

    def make(name: str = "sample", script: str = _WAITS, stop_timeout_s: float = 5.0) -> Program:
        started = tmp_path / f"{name}.started"
        argv = ["/bin/sh", "-c", script, str(started)]
        return Program(name, argv, started.exists, stop_timeout_s=stop_timeout_s)

    return make


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_killed_program_is_reported_and_started_again(
    supervisor: Supervisor, program: Callable[..., Program], reports: list[str]
) -> None:
    """A program that dies is named in one line and comes back as a new process."""
    supervisor.start(program())
    part = supervisor.part("sample")
    first = part.pid
    assert first is not None

    os.kill(first, signal.SIGKILL)

    eventually(lambda: part.pid not in (first, None), 5, "a new process")
    assert len(reports) == 1
    assert reports[0].startswith("sample was ended by SIGKILL; starting it again in 0.2 s")


def test_a_program_killed_to_stay_down_stays_down_until_it_is_started(
    supervisor: Supervisor, program: Callable[..., Program], reports: list[str]
) -> None:
    """kill(restart=False) is no accident: nothing is reported, nothing started, until start() is called."""
    supervisor.start(program())
    part = supervisor.part("sample")
    part.kill(restart=False)
    assert part.pid is None
    assert part.tend() is None
    assert part.pid is None

    part.start()

    assert part.pid is not None
    assert reports == []


def test_freeze_stops_the_whole_family_and_resume_continues_it(
    supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    """A frozen program and its children are stopped (state T), and run again after resume()."""
    supervisor.start(program(script=_STUBBORN, stop_timeout_s=0.1))
    part = supervisor.part("sample")
    assert part.pid is not None
    family = [part.pid, *descendants(part.pid)]
    assert len(family) == 2

    part.freeze()
    eventually(lambda: [_state(pid) for pid in family] == ["T", "T"], 2, "both stopped")
    part.resume()
    eventually(lambda: "T" not in [_state(pid) for pid in family], 2, "both continued")


def test_a_signal_for_our_process_group_reaches_no_program(
    supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    """Ctrl-C, which goes to the whole foreground group, leaves it to the supervisor who ends when."""
    supervisor.start(program())
    pid = supervisor.part("sample").pid
    assert pid is not None
    assert os.getpgid(pid) == os.getsid(pid) == pid


def test_a_frozen_program_can_be_stopped(supervisor: Supervisor, program: Callable[..., Program]) -> None:
    """stop() ends a frozen program gracefully: it is thawed to hear the signal."""
    supervisor.start(program())
    part = supervisor.part("sample")
    pid = part.pid
    assert pid is not None
    part.freeze()
    part.stop()
    assert not is_running(pid)


def test_what_ignores_the_stop_signal_is_killed_with_its_children(
    supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    """stop() takes a bounded time, and leaves nothing of the program's group behind."""
    supervisor.start(program(script=_STUBBORN, stop_timeout_s=0.1))
    part = supervisor.part("sample")
    assert part.pid is not None
    family = [part.pid, *descendants(part.pid)]
    part.stop()
    assert_gone(family)


def test_later_waves_stop_first(tmp_path: Path, program: Callable[..., Program]) -> None:
    """What was started last, and may need the rest, has ended before the rest is asked to end."""
    order = tmp_path / "order"
    script = f'trap "echo {{0}} >> {order}; exit" TERM; echo > "$0"; while :; do sleep 0.05; done'
    with Supervisor(tmp_path, lambda _line: None) as supervisor:
        supervisor.start(program("server", script.format("server")))
        supervisor.start(program("application", script.format("application")))
    assert order.read_text().split() == ["application", "server"]


def test_a_program_that_cannot_start_is_given_up_with_its_last_words(
    supervisor: Supervisor, program: Callable[..., Program]
) -> None:
    """After a few attempts the start fails, and the error repeats what the program said last."""
    with pytest.raises(SetupError, match=r"sample does not start: no such thing as flux .*sample\.log"):
        supervisor.start(program(script="echo 'no such thing as flux' >&2; exit 3"))


_VICTIM = """
import sys
from pathlib import Path
from configsvc.dev.process import Program
from configsvc.dev.supervisor import Supervisor
folder = Path(sys.argv[1])
started = folder / "started"
supervisor = Supervisor(folder, print)
supervisor.start(Program("sample", ["/bin/sh", "-c", sys.argv[2], str(started)], started.exists))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("frozen", [False, True])
def test_nothing_survives_the_supervisor_by_five_seconds(tmp_path: Path, frozen: bool) -> None:
    """When the supervisor is killed with -9, even programs that ignore SIGTERM, or are frozen, end within 5 s."""
    command = [sys.executable, "-c", _VICTIM, str(tmp_path), _STUBBORN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        family = descendants(victim.pid)
        assert len(family) == 3, "the reaper, the program and its child"
        if frozen:
            os.killpg(int((tmp_path / "started").read_text()), signal.SIGSTOP)
        victim.kill()
    assert_gone(family)
