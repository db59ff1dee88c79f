"""All benchmarks, each in a process of its own: `make bench`, or some by name: `python -m benchmarks reads push`.

Whoever runs all of them gets the table and the plots in benchmarks/results, too.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.results import FILE_VARIABLE, PEERS_PYTHON

NAMES = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> None:
    """Run those that are named, or all; the exit code says whether each ran to its end."""
    wanted = sys.argv[1:] or NAMES
    if unknown := set(wanted) - set(NAMES):
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    failed = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        figures = Path(folder) / "figures"
        figures.touch()
        for name in wanted:
            print(f"== {name}", flush=True)
            environ = os.environ | {FILE_VARIABLE: str(figures)}
            if subprocess.run([sys.executable, "-m", f"benchmarks.bench_{name}"], env=environ, check=False).returncode:
                failed.append(name)
        if wanted == NAMES:
            python = PEERS_PYTHON if PEERS_PYTHON.exists() else sys.executable
            subprocess.run([python, "-m", "benchmarks.report", str(figures)], check=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
