"""The table and the plots of a run, in benchmarks/results: `make bench` ends with it.

python -m benchmarks.report FIGURES
"""

import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benchmarks.results import Figure, read, verdict

RESULTS = Path(__file__).parent / "results"
COLOURS = {"ours": "#1f6feb", "floor": "#8b949e", "peer": "#d29922"}
#: Bars of so different lengths are only readable on a logarithmic scale.
LOGARITHMIC_FROM = 20


def main() -> None:
    """Write benchmarks/results/README.md, and a plot for each group where matplotlib is there."""
    figures = list(read(Path(sys.argv[1])))
    RESULTS.mkdir(exist_ok=True)
    plots = [(plot, list(group)) for plot, group in groupby(figures, lambda figure: figure.plot)]
    drawn = _draw(plots)
    (RESULTS / "README.md").write_text(_page(plots, drawn))


def _page(plots: Sequence[tuple[str, Sequence[Figure]]], drawn: bool) -> str:
    cores = os.cpu_count()
    lines = [
        "# Results",
        "",
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {cores} cores.",
        "What is compared, and what is not, stands in [docs/performance.md](../../docs/performance.md).",
    ]
    for plot, figures in plots:
        lines += ["", f"## {plot}", "", "| what | measured | of the floor | reach |", "| --- | --- | --- | --- |"]
        lines += [_row(figure) for figure in figures]
        if drawn:
            lines += ["", f"![{plot}]({_file(plot)})"]
    return "\n".join(lines) + "\n"


def _row(figure: Figure) -> str:
    name = figure.name if figure.kind == "ours" else f"{figure.name} ({figure.kind})"
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    reach = figure.reach if figure.met is None else f"{figure.reach}: {verdict(figure.met)}"
    return f"| {name} | {figure.value:,.4g} {figure.unit} | {ratio} | {reach} |"


def _file(plot: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in plot.lower()) + ".svg"


def _draw(plots: Sequence[tuple[str, Sequence[Figure]]]) -> bool:
    try:
        import matplotlib as mpl
    except ImportError:
        print("no plots: matplotlib is not installed (make bench installs it)")
        return False
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "configsvc"  # the same figures give the same file
    from matplotlib import pyplot

    for plot, figures in plots:
        drawing, axes = pyplot.subplots(figsize=(8, 0.6 + 0.35 * len(figures)), layout="constrained")
        values = [figure.value for figure in figures]
        bars = axes.barh(
            [figure.name for figure in figures], values, color=[COLOURS[figure.kind] for figure in figures]
        )
        if min(values) > 0 and max(values) > LOGARITHMIC_FROM * min(values):
            axes.set_xscale("log")
        axes.bar_label(bars, fmt="{:,.4g}", padding=3)
        axes.margins(x=0.12)
        axes.invert_yaxis()
        axes.set_title(f"{plot} ({figures[0].unit})", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        drawing.savefig(RESULTS / _file(plot), metadata={"Date": None})
        pyplot.close(drawing)
    return True


if __name__ == "__main__":
    main()
