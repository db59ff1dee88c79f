"""What is committed works on any machine: no paths of one, no registry hosts, every target explained."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Spelled in pieces, so that this file does not hold what it forbids.
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(host))
        for host in [
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("registry", "npmjs", "org"),
            ("deb", "debian", "org"),
            ("proxy", "golang", "org"),
            ("index", "crates", "io"),
        ]
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.\-])/(?:work|root|home/\w+|Users/\w+|opt/pypi|tmp/brief)/")

TARGETS_OF_THE_DESIGN = {"help", "setup", "dev", "demo", "test", "lint", "types", "bench", "up", "down", "build"}


def tracked_files() -> list[Path]:
    """The files of the commit that is checked out."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


@pytest.mark.parametrize("forbidden", [REGISTRY_HOSTS, MACHINE_PATHS], ids=["registry host", "machine path"])
def test_nothing_of_one_machine_is_committed(forbidden: re.Pattern[str]) -> None:
    """No tracked file names a package registry's host or a folder of somebody's machine."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match.group()}"
        for path in tracked_files()
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if (match := forbidden.search(line))
    ]
    assert found == []


def test_pinned_versions_are_names_and_versions_only() -> None:
    """constraints.txt holds `name==version` lines and comments: no host, no hash, no option."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert pins
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_make_explains_every_target() -> None:
    """`make` alone prints a line for each target that it has."""
    told = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    explained = set(re.findall(r"^  (\w+) +\S", told, flags=re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert phony is not None
    assert explained == set(phony[1].split())
    assert explained >= TARGETS_OF_THE_DESIGN


def test_an_old_python_is_named_in_one_line(tmp_path: Path) -> None:
    """`make setup` with an interpreter that will not do says which one it needs, and makes nothing."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "configclient/pyproject.toml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(["make", "PYTHON=false", "setup"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.splitlines()[0].startswith("configsvc needs Python 3.11 or newer")
    assert not (tmp_path / ".venv").exists()


def test_every_link_of_the_pages_leads_somewhere() -> None:
    """A relative link in a tracked page names a file that is there."""
    dead = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in tracked_files()
        if page.suffix == ".md" and page.is_file()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert dead == []
