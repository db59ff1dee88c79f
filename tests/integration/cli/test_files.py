"""import and export: files of every format, into the real service and out of it again."""

import json
from pathlib import Path
from typing import Any

import pytest

from configclient.cli import formats

from .conftest import Configctl, Terminal, ended

TYPED = [name for name in formats.SUFFIXES if formats.named(name).TYPED]
TEXTS = [name for name in formats.SUFFIXES if not formats.named(name).TYPED]
YAML = """
limits:            # one key for each
  rate: 100
  burst: 2.5
enabled: yes it is
on: true
zip: 01234
servers: [a, b]
empty: {}
multi: |
  first
  ☕ second
"""
VALUES = {
    "limits.rate": 100,
    "limits.burst": 2.5,
    "enabled": "yes it is",
    "on": True,
    "zip": "01234",
    "servers": ["a", "b"],
    "empty": {},
    "multi": "first\n☕ second\n",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A YAML file as people write them."""
    path = tmp_path / "settings.yaml"
    path.write_text(YAML, encoding="utf-8")
    return path


def test_a_file_becomes_one_release_once(configctl: Configctl, namespace: str, file: Path) -> None:
    """The plan names every new key with its type; the same file again changes nothing."""
    first = configctl("import", file, "--namespace", namespace)
    assert first.code == 0
    assert f"{namespace}/limits.rate  (unset) → 100  new key, int\n" in first.out
    assert f'{namespace}/servers  (unset) → ["a", "b"]  new key, json\n' in first.out
    assert first.err == "8 new\n"
    assert configctl.values(namespace) == VALUES
    [release] = configctl.json("history", namespace)["items"]
    assert release["note"] == "import of settings.yaml"
    again = configctl("import", file, "--namespace", namespace)
    assert (again.code, again.out, again.err) == (0, "", "8 same\n")
    assert len(configctl.json("history", namespace)["items"]) == 1


def test_a_changed_file_changes_what_it_names(configctl: Configctl, namespace: str, file: Path) -> None:
    """What it does not name stays."""
    configctl.lines("import", file, "--namespace", namespace)
    file.write_text("limits: {rate: 200}\nnew: 1\n")
    outcome = configctl("import", file, "--namespace", namespace, "--note", "faster")
    assert outcome.out.splitlines()[:2] == [
        f"{namespace}/limits.rate  100 → 200",
        f"{namespace}/new  (unset) → 1  new key, int",
    ]
    assert configctl.values(namespace) == VALUES | {"limits.rate": 200, "new": 1}


def test_a_dry_run_writes_and_declares_nothing(configctl: Configctl, namespace: str, file: Path) -> None:
    """It shows the plan, for people and for programs, and lets the service check what it can."""
    outcome = configctl("import", file, "--namespace", namespace, "--dry-run")
    assert (outcome.code, outcome.err) == (0, "8 new\ndry run, nothing was written\n")
    assert configctl.json("keys", "list", namespace)["items"] == []
    answer = configctl.json("import", file, "--namespace", namespace, "--dry-run")
    assert {step["action"] for step in answer["steps"]} == {"new"}
    configctl.lines("import", file, "--namespace", namespace)
    configctl("keys", "update", namespace, "limits.rate", "--schema-file", "-", stdin='{"maximum": 150}')
    file.write_text("limits: {rate: 200}")
    assert configctl("import", file, "--namespace", namespace, "--dry-run").code == 6


def test_all_conflicts_are_named_before_anything_is_written(
    configctl: Configctl, namespace: str, tmp_path: Path
) -> None:
    """Another type, no name for a key, no value in JSON, too large: exit code 6, and no key is declared."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    file = tmp_path / "x.yaml"
    file.write_text(f"limit: '5'\nmy key: 1\nnan: .nan\nhuge: 99999999999999999999\nlong: {'x' * 300_000}\ngood: 1\n")
    outcome = configctl("import", file, "--namespace", namespace)
    assert outcome.code == 6
    for words in (
        "limit is declared as int, and the file has a string",
        "my key is no name for a key",
        "nan nan is no number",
        "huge an integer beyond 64 bits",
        "long is 300002 bytes long; the limit for one value is 262144",
    ):
        assert words in outcome.err
    assert [key["key"] for key in configctl.json("keys", "list", namespace)["items"]] == ["limit"]


def test_only_what_is_in_the_way_is_shown(configctl: Configctl, namespace: str, tmp_path: Path) -> None:
    """Among thousands of good lines nobody would find it; the summary counts both."""
    file = tmp_path / "x.yaml"
    file.write_text("good: 1\nmap: {my key: 1}\n")
    outcome = configctl("import", file, "--namespace", namespace)
    line = f"{namespace}/map.my key  is no name for a key: rename it in the file, or see --nested\n"
    assert (outcome.code, outcome.out) == (6, line)
    assert outcome.err.startswith("1 new, 1 conflict\n")


def test_other_encodings(configctl: Configctl, new_namespace: Any, tmp_path: Path) -> None:
    """Properties that are no UTF-8 are Latin-1, as in Java; elsewhere the line is named."""
    file = tmp_path / "a.properties"
    for encoding in ("utf-8", "utf-8-sig", "latin-1"):
        namespace = new_namespace()
        file.write_bytes("name=Gr\u00fc\u00dfe\n".encode(encoding))
        configctl.lines("import", file, "--namespace", namespace)
        assert configctl.values(namespace) == {"name": "Gr\u00fc\u00dfe"}
    (tmp_path / "a.env").write_bytes(b"A=1\nB=\xfc\n")
    outcome = configctl("import", tmp_path / "a.env", "--namespace", namespace)
    assert (outcome.code, "line 2 is not UTF-8" in outcome.err) == (6, True)


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("a.env", "export PORT=8080\nZIP=01234\nDEBUG=true\nL=[1]\nE=\n", [8080, "01234", True, [1], ""]),
        ("a.properties", "PORT: 8080\nZIP 01234\nDEBUG=true\nL=[1]\nE\n", [8080, "01234", True, [1], ""]),
        ("a.ini", "PORT = 8080\nZIP = 01234\nDEBUG = true\nL = [1]\nE =\n", [8080, "01234", True, [1], ""]),
    ],
)
def test_text_is_what_it_is_in_json(
    configctl: Configctl, new_namespace: Any, tmp_path: Path, name: str, text: str, values: list[Any]
) -> None:
    """Types of new keys are inferred; with --strings all are strings; a declared type decides before both."""
    (tmp_path / name).write_text(text)
    inferred, strings = new_namespace(), new_namespace()
    keys = ["PORT", "ZIP", "DEBUG", "L", "E"]
    configctl.lines("import", tmp_path / name, "--namespace", inferred)
    assert configctl.values(inferred) == dict(zip(keys, values, strict=True))
    configctl.lines("set", strings, "PORT", "1", "--type", "float")
    configctl.lines("import", tmp_path / name, "--namespace", strings, "--strings")
    texts = {"PORT": 8080.0, "ZIP": "01234", "DEBUG": "true", "L": "[1]", "E": ""}
    assert configctl.values(strings) == texts


def test_maps_stay_whole_where_that_is_said(configctl: Configctl, new_namespace: Any, file: Path) -> None:
    """By --nested, or because a key of the name is declared as json."""
    whole, mixed = new_namespace(), new_namespace()
    configctl.lines("import", file, "--namespace", whole, "--nested")
    assert configctl.values(whole)["limits"] == {"rate": 100, "burst": 2.5}
    configctl.lines("keys", "create", mixed, "limits", "--type", "json")
    configctl.lines("import", file, "--namespace", mixed)
    assert configctl.values(mixed)["limits"] == {"rate": 100, "burst": 2.5}


def test_several_namespaces_in_one_release(configctl: Configctl, new_namespace: Any, tmp_path: Path) -> None:
    """The names at the top are namespaces; export writes the same file again."""
    one, two = sorted((new_namespace(), new_namespace()))
    file = tmp_path / "all.json"
    file.write_text(json.dumps({one: {"a": {"b": 1}}, two: {"c": "x"}}))
    before = configctl.revision()
    configctl.lines("import", file, "--by-namespace")
    assert configctl.revision() == before + 1
    assert (configctl.values(one), configctl.values(two)) == ({"a.b": 1}, {"c": "x"})
    exported = configctl("export", one, two, "--format", "json").out
    assert json.loads(exported) == {one: {"a.b": 1}, two: {"c": "x"}}
    again = configctl("import", "-", "--format", "json", "--by-namespace", stdin=exported)
    assert (again.code, again.err) == (0, "2 same\n")


@pytest.mark.parametrize("name", list(formats.SUFFIXES))
def test_import_of_an_export_changes_nothing(configctl: Configctl, namespace: str, name: str) -> None:
    """In every format, whatever the values are."""
    hard = [
        "",
        " x ",
        "007",
        "a # b",
        "a=b",
        "it's",
        'say "hi"',
        "$HOME",
        "true",
        "null",
        "a\nb\n",
        "\r",
        "日本 ☕",
        "[1",
    ]
    values: dict[str, Any] = {f"text.{number}": text for number, text in enumerate(hard)}
    values |= {"int": -5, "float": 5.0, "tiny": 1e-7, "bool": False, "json": {"a": [1, "x"], "b.c": {}}, "list": []}
    make = ("import", "-", "--format", "json", "--namespace", namespace)
    configctl.lines("keys", "create", namespace, "json", "--type", "json")
    assert configctl(*make, stdin=json.dumps(values)).code == 0
    exported = configctl("export", namespace, "--format", name)
    assert exported.code == 0, exported.err
    again = configctl("import", "-", "--format", name, "--namespace", namespace, "--dry-run", stdin=exported.out)
    assert (again.code, again.out) == (0, ""), again
    assert again.err == f"{len(values)} same\ndry run, nothing was written\n"


def test_what_a_format_can_not_hold_is_refused(configctl: Configctl, namespace: str) -> None:
    """TOML has no null; the line says what to take instead."""
    configctl.lines("set", namespace, "maybe", "null", "--type", "json")
    outcome = configctl("export", namespace, "--format", "toml")
    assert (outcome.code, outcome.out) == (6, "")
    assert "take json or yaml" in outcome.err


def test_a_file_too_large_for_one_release(configctl: Configctl, namespace: str, tmp_path: Path) -> None:
    """Is refused with the numbers, or split where that is said; the same file again changes nothing."""
    file = tmp_path / "large.json"
    file.write_text(json.dumps({f"k{number}": "x" * 200_000 for number in range(7)}))
    refused = configctl("import", file, "--namespace", namespace)
    assert refused.code == 6
    assert "the 7 changes are 1400" in refused.err
    assert "one release takes 1032192; --split makes 2 releases" in refused.err
    split = configctl("import", file, "--namespace", namespace, "--split")
    assert (split.code, len(split.out.splitlines())) == (0, 9)
    assert configctl("import", file, "--namespace", namespace).err == "7 same\n"


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("import", "missing.yaml", "--namespace", "payments"), 2, "missing.yaml"),
        (("import", "-", "--namespace", "payments"), 2, "give --format"),
        (("import", "-", "--format", "json"), 2, "--namespace"),
        (("import", "-", "--format", "ini", "--by-namespace"), 2, "no maps"),
        (("import", "-", "--format", "json", "--by-namespace"), 6, "no namespace"),
        (("import", "-", "--format", "toml", "--namespace", "payments"), 6, "line 1"),
        (("import", "-", "--format", "json", "--namespace", "no-such-namespace"), 3, "no-such-namespace"),
        (("export", "payments", "search", "--format", "env"), 2, "one namespace"),
    ],
)
def test_what_can_not_be_meant_is_one_line(configctl: Configctl, args: tuple[str, ...], code: int, word: str) -> None:
    """And nothing is written."""
    outcome = configctl(*args, stdin='{"a": 1}')
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert word in outcome.err


def test_a_person_is_asked_before_production(
    configctl: Configctl, terminal: Terminal, ops: dict[str, str], namespace: str, file: Path
) -> None:
    """After the plan; no means no, and no key is declared."""
    session = terminal("import", file, "--namespace", namespace, "--env", "production", **ops)
    session.expect_exact("8 new")
    session.expect_exact("production is protected. Propose this? [y/N]: ")
    session.sendline("n")
    assert ended(session)[0] == 130
    assert configctl.json("keys", "list", namespace)["items"] == []


@pytest.mark.long
@pytest.mark.parametrize("name", list(formats.SUFFIXES))
def test_thousands_of_keys_of_each_kind(configctl: Configctl, namespace: str, tmp_path: Path, name: str) -> None:
    """A large file with unicode, several lines and comments goes in, comes out, and changes nothing the second time."""
    count = 3000
    values: dict[str, Any] = {f"section{number % 50}.key{number}": f"Wert {number} ☕\n# 2" for number in range(count)}
    values |= {f"number.n{number}": number for number in range(count)}
    path = tmp_path / f"large{formats.SUFFIXES[name][0]}"
    comment = "" if name == "json" else "# a large file\n"
    path.write_text(comment + formats.named(name).write(values), encoding="utf-8")
    first = configctl("import", path, "--namespace", namespace)
    assert first.code == 0, first.err
    assert configctl.values(namespace) == values
    assert configctl("import", path, "--namespace", namespace).err == f"{len(values)} same\n"
    path.write_text(configctl("export", namespace, "--format", name).out, encoding="utf-8")
    assert configctl("import", path, "--namespace", namespace).err == f"{len(values)} same\n"


@pytest.mark.long
def test_a_scope_has_a_bound(configctl: Configctl, namespace: str) -> None:
    """More keys than it holds are refused with the numbers, before one is declared."""
    text = json.dumps({f"k{number}": number for number in range(10_001)})
    outcome = configctl("import", "-", "--format", "json", "--namespace", namespace, stdin=text)
    assert outcome.code == 6
    assert f"{namespace} would have 10001 keys; the limit is 10000" in outcome.err
    assert configctl.json("keys", "list", namespace)["items"] == []
