"""The demo: ``make demo``, or ``python -m examples.demo``. Exits 0 only if every process saw everything."""

import sys
import tempfile
import time
from pathlib import Path

from configsvc.dev.stack import Stack
from configsvc.errors import SetupError
from examples.demo import report
from examples.demo.fleet import Fleet
from examples.demo.shop import Office, Release, read_day, read_settings

START_TIMEOUT_S = 15.0
# The promise is far below a second with push, and five seconds after a part of the push path died.
ARRIVAL_TIMEOUT_S = 10.0
BACK_TIMEOUT_S = 20.0
# Nobody saves settings faster than this, and a stranger wants to read along.
PAUSE_S = 0.2


class Story:
    """What is told, and what went wrong while it was told."""

    def __init__(self, office: Office, fleet: Fleet) -> None:
        self.faults: list[str] = []
        self._office = office
        self._fleet = fleet

    def tell(self, releases: list[Release]) -> None:
        """Commit each release, wait until every application shows it, print when it arrived."""
        applications = self._fleet.applications
        say(report.row("sent → answered, sent → seen by each", ["answered", *(each.service for each in applications)]))
        columns: list[list[float | None]] = [[] for _ in range(1 + len(applications))]
        for release in releases:
            time.sleep(PAUSE_S)
            committed = self._office.commit(release)
            arrivals_ns = self._fleet.arrivals_ns(committed, ARRIVAL_TIMEOUT_S)
            for column, at_ns in zip(columns, [committed.answered_ns, *arrivals_ns], strict=True):
                column.append(None if at_ns is None else (at_ns - committed.sent_ns) / 1e6)
            for application, at_ns in zip(applications, arrivals_ns, strict=True):
                if at_ns is None:
                    self.faults.append(f"{application.service} never showed revision {committed.revision}: {release}")
            cells = [report.milliseconds(column[-1]) for column in columns]
            say(report.row(f"{committed.revision:>3}  {release}", cells))
        for line in report.percentile_rows(columns):
            say(line)

    def wait_for_transport(self, transport: str, since_ns: int) -> None:
        """Until every application hears of changes this way; prints how long each one took."""
        self._fleet.wait(lambda application: application.transport == transport, BACK_TIMEOUT_S)
        took = []
        for application in self._fleet.applications:
            if application.transport != transport:
                self.faults.append(f"{application.service} stayed on {application.transport}")
            took.append(report.milliseconds(max(application.transport_at_ns - since_ns, 0) / 1e6))
        say(report.row(f"all hear by {transport} after", ["", *took]))

    def end(self) -> int:
        """Stop the applications, and look at what they checked; gives how many snapshots that were."""
        self._fleet.stop()
        snapshots = 0
        for application in self._fleet.applications:
            self.faults += [f"{application.service}: {event['why']}" for event in application.of("broken")]
            done = application.of("done")
            snapshots += done[0]["snapshots"] if done else 0
            if not done:
                tail = application.log.read_text("utf-8", "replace").strip().splitlines()[-1:]
                self.faults.append(f"{application.service} ended early: {''.join(tail)}")
        return snapshots


def say(text: str = "") -> None:
    """One line, at once."""
    print(text, flush=True)


def main() -> int:
    """Tell the story; gives the exit code."""
    began = time.monotonic()
    say("A coffee shop changes its settings while it is open. Four applications follow.")
    with tempfile.TemporaryDirectory(prefix="configsvc-demo-") as folder, Stack(Path(folder) / "data", port=0) as stack:
        say(f"\n1  Postgres, Valkey and configsvc run in a temporary folder ({time.monotonic() - began:.1f} s)")
        settings = read_settings()
        office = Office(stack.url, stack.tokens)
        opened = office.open_shop(settings)
        keys = len(opened.release.changes)
        say(f"   {keys} keys in {len(settings)} namespaces have their first values: revision {opened.revision}")
        with Fleet(stack.url, stack.tokens["service"], Path(folder)) as fleet:
            story = Story(office, fleet)
            snapshots = _chapters(story, fleet, stack, read_day())
    return _verdict(story.faults, snapshots, time.monotonic() - began)


def _chapters(story: Story, fleet: Fleet, stack: Stack, day: dict[str, list[Release]]) -> int:
    fleet.wait(lambda application: bool(application.of("ready")), START_TIMEOUT_S)
    ready_ns = time.monotonic_ns()
    say("   Four processes have loaded them")
    story.wait_for_transport("redis", ready_ns)
    say("\n2  One value at a time")
    story.tell(day["one_by_one"])
    say("\n3  Several values over two or three namespaces at once, each time in one release")
    story.tell(day["batches"])
    say("\n4  Valkey is killed (kill -9). Changes go on; the first is sent at once")
    stack.part("valkey").kill(restart=False)
    killed_ns = time.monotonic_ns()
    story.tell(day["while_valkey_is_down"])
    story.wait_for_transport("longpoll", killed_ns)
    say("   longpoll: each application keeps a request waiting, and configsvc answers it when something changes")
    say("\n5  Valkey is brought back. The applications find it by themselves")
    stack.part("valkey").start()
    started_ns = time.monotonic_ns()
    story.wait_for_transport("redis", started_ns)
    story.tell(day["after_it_is_back"])
    return story.end()


def _verdict(faults: list[str], snapshots: int, took_s: float) -> int:
    say(
        f"\n6  Looked at {snapshots:,} snapshots: in each one, the smallest order that the storefront takes must be the"
    )
    say("   smallest amount that payments charge. The two are always changed together, and never seen apart.")
    for fault in faults:
        say(f"   FAULT  {fault}")
    verdict = "Not everything was seen." if faults else "Every process saw every change, and no half of one."
    say(f"\n{verdict} ({took_s:.0f} s)")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
    except SetupError as error:
        sys.exit(f"demo: {error}")
