"""How fast the client's getters are, as ratios to a floor measured in the same run.

The floor is a slotted method around `dict.get((namespace, key), default)`: the least that any object with a `get` of
this signature can do. All contenders take turns in short slices, so that a busy machine slows them alike, and the best
slice of each counts. Run it with --check to fail (exit 1) when a target is missed. Peers hold their value in memory,
too; most of them evaluate rules about a user, which configclient doesn't.
"""

import argparse
import json
import subprocess
import sys
import timeit
from typing import Any

from benchmarks.results import PEERS_PYTHON, Figure, note
from configclient import ConfigClient
from configclient._board import Board
from configclient._getters import Rules
from configclient._table import Entry, Table

KEYS_PER_NAMESPACE = 100
SLICES = 150
CALLS_PER_SLICE = 20_000

GET_FLOOR = "floor: slotted dict.get"
LIVE_FLOOR = "floor: slot attribute"
# What is measured, the most it may cost in floors, and the code. None: shown for comparison.
CONTENDERS: list[tuple[str, float | None, str]] = [
    (GET_FLOOR, None, "floor.get('payments', 'int7', 50)"),
    ("get", 1.3, "client.get('payments', 'int7', 50)"),
    ("get_int", 1.45, "client.get_int('payments', 'int7', 50)"),
    ("get_float", 1.45, "client.get_float('payments', 'float7', 0.5)"),
    ("get_str", 1.45, "client.get_str('payments', 'string7', 'x')"),
    ("get_bool", 1.45, "client.get_bool('payments', 'bool7', False)"),
    ("get_json", 1.45, "client.get_json('payments', 'json7')"),
    (LIVE_FLOOR, None, "slot.value"),
    # Two plain attributes: the same byte code, so only noise lies between them.
    ("live(...).value", 1.15, "live.value"),
    ("get, key missing", None, "client.get('payments', 'nope', 50)"),
    ("get_int, key missing", None, "client.get_int('payments', 'nope', 50)"),
    ("snapshot().get", None, "snapshot.get('payments', 'int7', 50)"),
    ("get, inside pinned()", None, "pinned.get('payments', 'int7', 50)"),
]

PLOT = "Reading a value in process"
PLOTTED = (GET_FLOOR, "get", "get_int", "live(...).value")


class Floor:
    """The least that a getter can do."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[tuple[str, str], Any]) -> None:
        self._values = values

    def get(self, namespace: str, key: str, default: Any = None) -> Any:
        """One look-up."""
        return self._values.get((namespace, key), default)


class Slot:
    """A plain attribute."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def loaded_client() -> ConfigClient:
    """A real client whose values were put in by hand: reading is all that is measured, and needs no service."""
    samples: dict[str, Any] = {"int": 7, "float": 0.5, "string": "x", "bool": True, "json": None}
    entries = {
        (namespace, f"{type_}{number}"): Entry(type_, value, 1)
        for namespace in ("payments", "search", "global")
        for number in range(KEYS_PER_NAMESPACE // len(samples))
        for type_, value in samples.items()
    }
    client = ConfigClient.__new__(ConfigClient)
    client._pins, client._has_pins = 0, False
    client._rules = Rules(strict=False)
    client._table = Table.of(1, "1.a", entries)
    client._board = Board(client._rules, None, client._publish)
    with client._board.changed:
        client._board.offer(client._table, frozenset(entries))
    return client


def measure() -> dict[str, float]:
    """Nanoseconds per call of each contender, best of many interleaved slices."""
    client, pinned = loaded_client(), loaded_client()
    names = {
        "client": client,
        "floor": Floor({name: entry.value for name, entry in client._table.entries.items()}),
        "slot": Slot(7),
        "live": client.live("payments", "int7", 50),
        "snapshot": client.snapshot(),
        "pinned": pinned,
    }
    with pinned.pinned():
        timers = {name: timeit.Timer(code, globals=names) for name, _, code in CONTENDERS}
        best = dict.fromkeys(timers, float("inf"))
        for _ in range(SLICES):
            for name, timer in timers.items():
                best[name] = min(best[name], timer.timeit(CALLS_PER_SLICE) / CALLS_PER_SLICE * 1e9)
    return best


def _peers() -> None:
    """Let the peers be measured by their own Python, where `make bench` has made it."""
    if not PEERS_PYTHON.exists():
        print("peers skipped: make bench installs them")
        return
    said = subprocess.run([PEERS_PYTHON, "-m", "benchmarks.peers"], stdout=subprocess.PIPE, check=True, text=True)
    (_, floor, _), *peers = map(json.loads, said.stdout.splitlines())
    for name, ns, why_not in peers:
        if why_not:
            print(f"{name:28} skipped: {why_not}")
        else:
            print(f"{name:28} {ns:7.0f} ns  {ns / floor:5.0f} x")
            note(Figure(PLOT, name, ns, "ns", "peer", ns / floor))


def main() -> int:
    """Measure and print; 1 if a target is missed and --check was given."""
    parser = argparse.ArgumentParser(description="How fast the client's getters are, as ratios to a floor.")
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    check = parser.parse_args().check
    best = measure()
    missed = False
    for name, limit, _ in CONTENDERS:
        ratio = best[name] / best[LIVE_FLOOR if name in (LIVE_FLOOR, "live(...).value") else GET_FLOOR]
        verdict = "" if limit is None else f"target ≤ {limit:.2f}  {'ok' if ratio <= limit else 'MISSED'}"
        missed |= limit is not None and ratio > limit
        print(f"{name:28} {best[name]:7.1f} ns  {ratio:5.2f} x  {verdict}".rstrip())
        if name in PLOTTED:
            met = None if limit is None else ratio <= limit
            reach = "" if limit is None else f"≤ {limit}"
            note(Figure(PLOT, name, best[name], "ns", "floor" if name == GET_FLOOR else "ours", ratio, reach, met))
    _peers()
    return 1 if missed and check else 0


if __name__ == "__main__":
    sys.exit(main())
