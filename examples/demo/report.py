"""Percentiles and table rows. PURE: no I/O."""

import math
from collections.abc import Sequence

LABEL_COLUMNS = 42
CELL_COLUMNS = 11


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` (0 to 1) of all samples do not exceed (nearest rank)."""
    ordered = sorted(samples)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def row(label: str, cells: Sequence[str]) -> str:
    """One line of a table: the label on the left, the cells right-aligned."""
    if len(label) > LABEL_COLUMNS:
        label = label[: LABEL_COLUMNS - 1] + "…"
    return "   " + label.ljust(LABEL_COLUMNS) + "".join(cell.rjust(CELL_COLUMNS) for cell in cells)


def milliseconds(latency_ms: float | None) -> str:
    """A cell for a latency; ``None`` is a change that never arrived."""
    if latency_ms is None:
        return "MISSED"
    return f"{latency_ms:,.1f} ms" if latency_ms < 1000 else f"{latency_ms / 1000:,.2f} s"


def percentile_rows(columns: Sequence[Sequence[float | None]]) -> list[str]:
    """The rows p50 and p99 below a table whose columns these are; what was missed is left out."""
    arrived = [[cell for cell in column if cell is not None] for column in columns]
    return [
        row(name, [milliseconds(percentile(column, share)) if column else "-" for column in arrived])
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
