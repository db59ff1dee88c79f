"""What benchmarks measured: one JSON line for each figure; `benchmarks.report` makes the table and the plots of them.

A benchmark that is run by itself only prints.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

#: Of another .venv inside ours, with peers and matplotlib; `make bench` makes it.
PEERS_PYTHON = Path(sys.prefix) / "peers/bin/python"
FILE_VARIABLE = "BENCH_RESULTS"

Kind = Literal["ours", "floor", "peer"]


@dataclass(frozen=True)
class Figure:
    """One bar of a plot, one row of its table. ``ratio``: to the floor; ``met``: whether ``reach`` was reached."""

    plot: str
    name: str
    value: float
    unit: str
    kind: Kind = "ours"
    ratio: float | None = None
    reach: str = ""
    met: bool | None = None


def note(figure: Figure) -> None:
    """Keep a figure, where somebody collects them."""
    if path := os.environ.get(FILE_VARIABLE):
        with Path(path).open("a") as file:
            file.write(json.dumps(asdict(figure)) + "\n")


def read(path: Path) -> Iterator[Figure]:
    """Yield the figures of a run, in their order."""
    for line in path.read_text().splitlines():
        yield Figure(**json.loads(line))


def verdict(met: bool) -> str:
    """Say whether a target was reached."""
    return "ok" if met else "missed"
