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


class Story:
    """What is told, and what went wrong while it was told."""

    def __init__(self, office: Office, fleet: Fleet) -> None:
        self.faults: list[str] = []
        self._office = office
        self._fleet = fleet

    def tell(self, releases: list[Release]) -> None:
        """Commit each release, wait until every application shows it, print when it arrived."""
        applications = self._fleet.applications
        say(report.row("sent → visible in the application", [application.service for application in applications]))
        columns: list[list[float | None]] = [[] for _ in applications]
        for release in releases:
            committed = self._office.commit(release)
            arrivals_ns = self._fleet.arrivals_ns(committed, ARRIVAL_TIMEOUT_S)
            for application, column, arrived_ns in zip(applications, columns, arrivals_ns, strict=True):
                column.append(None if arrived_ns is None else (arrived_ns - committed.sent_ns) / 1e6)
                if arrived_ns is None:
                    self.faults.append(f"{application.service} never showed revision {committed.revision}: {release}")
            cells = [report.milliseconds(column[-1]) for column in columns]
            say(report.row(f"{committed.revision:>3}  {release}", cells))
        for line in report.percentile_rows(columns):
            say(line)

    def wait_for_transport(self, *transports: str) -> None:
        """Until every application hears of changes in one of these ways; prints when it was so."""
        since_ns = time.monotonic_ns()
        if not self._fleet.wait(lambda application: application.transport in transports, BACK_TIMEOUT_S):
            for application in self._fleet.applications:
                if application.transport not in transports:
                    self.faults.append(f"{application.service} stayed on {application.transport}")
        for application in self._fleet.applications:
            after_s = max(application.transport_at_ns - since_ns, 0) / 1e9
            say(f"  {application.service:<12} hears by {application.transport:<9} after {after_s:.2f} s")

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
    say("   Four processes have loaded them, and wait for changes:")
    story.wait_for_transport("redis")
    say("\n2  One value at a time")
    story.tell(day["one_by_one"])
    say("\n3  Several values over two or three namespaces at once, each time in one release")
    story.tell(day["batches"])
    say("\n4  Valkey is killed (kill -9). Changes go on; the first is sent at once")
    stack.part("valkey").kill(restart=False)
    story.tell(day["while_valkey_is_down"])
    say("   How they came: a request to configsvc that it answers as soon as something changes.")
    story.wait_for_transport("longpoll")
    say("\n5  Valkey is brought back. The applications find it by themselves")
    stack.part("valkey").start()
    story.wait_for_transport("redis")
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
