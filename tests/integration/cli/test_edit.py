"""edit: a namespace in an editor, and nothing that was typed is ever lost."""

import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Configctl, Terminal, ended

Editor = Callable[..., dict[str, str]]


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    """Makes an editor that does each of these to the file, one per session: a Python expression of the text ``t``."""

    def make(*sessions: str, then: str = "") -> dict[str, str]:
        script = tmp_path / "editor.py"
        script.write_text(
            "import os, pathlib, subprocess, sys\n"
            f"sessions = {list(sessions)!r}\n"
            f"count = pathlib.Path({str(tmp_path / 'count')!r}); n = len(count.read_text()) if count.exists() else 0\n"
            "count.write_text('x' * (n + 1))\n"
            "file = pathlib.Path(sys.argv[-1]); t = file.read_text()\n"
            f"pathlib.Path({str(tmp_path)!r}, f'shown.{{n}}').write_text(t)\n"
            "file.write_text(eval(sessions[n]))\n"
            f"{then}\n"
        )
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        return {"VISUAL": f"'{sys.executable}' '{script}'", "TMPDIR": str(temporary)}

    return make


def kept(tmp_path: Path) -> list[Path]:
    """The files that are left."""
    return sorted(path for path in (tmp_path / "tmp").rglob("*") if path.is_file())


def setup(configctl: Configctl, namespace: str) -> None:
    """Three settings."""
    configctl.lines("set", namespace, "limit", "1", "--type", "int")
    configctl.lines("set", namespace, "text", "yes\n# no comment", "--type", "string")
    configctl.lines("set", namespace, "map", '{"a": [1]}', "--type", "json")


def test_what_was_changed_becomes_one_release(
    configctl: Configctl, terminal: Terminal, editor: Editor, namespace: str, tmp_path: Path
) -> None:
    """Changed, added and removed; the difference is shown; the draft is gone afterwards."""
    setup(configctl, namespace)
    before = configctl.revision()
    session = terminal(
        *("edit", namespace, "--note", "by hand"),
        **editor("t.partition('# string')[0].replace('limit: 1', 'limit: 2\\nnew: 1.5')"),
        NO_COLOR="1",
    )
    code, shown = ended(session)
    assert code == 0, shown
    for line in ("limit  1 → 2", "new  (unset) → 1.5  new key, float", 'text  "yes\\n# no comment" → (unset)'):
        assert f"{namespace}/{line}\r\n" in shown
    assert configctl.values(namespace) == {"limit": 2, "map": {"a": [1]}, "new": 1.5}
    assert configctl.revision() == before + 1
    assert configctl.json("history", namespace)["items"][0]["note"] == "by hand"
    assert "# int\nlimit: 1\n" in (tmp_path / "shown.0").read_text()
    assert kept(tmp_path) == []


def test_no_change_writes_nothing(
    configctl: Configctl, terminal: Terminal, editor: Editor, namespace: str, tmp_path: Path
) -> None:
    """Saved as it was."""
    setup(configctl, namespace)
    before = configctl.revision()
    code, shown = ended(terminal("edit", namespace, **editor("t")))
    assert (code, "nothing was changed" in shown, configctl.revision()) == (0, True, before)
    assert kept(tmp_path) == []


def test_a_mistake_can_be_mended(
    configctl: Configctl, terminal: Terminal, editor: Editor, namespace: str, tmp_path: Path
) -> None:
    """The line names it; the next session begins with the text of the last one."""
    setup(configctl, namespace)
    mistakes = editor("t.replace('limit: 1', 'limit: [')", "t.replace('limit: [', 'limit: x')", "t.replace('x', '7')")
    session = terminal("edit", namespace, **mistakes)
    session.expect("this is no YAML: line [0-9]+: .*your text is in ")
    session.expect_exact("Edit it again? [y/N]: ")
    session.sendline("y")
    session.expect_exact("limit is declared as int, and the file has a string")
    session.expect_exact("Edit it again? [y/N]: ")
    session.sendline("y")
    assert ended(session)[0] == 0
    assert configctl.values(namespace)["limit"] == 7


def test_a_text_that_is_given_up_is_kept(
    configctl: Configctl, terminal: Terminal, editor: Editor, namespace: str, tmp_path: Path
) -> None:
    """For its owner alone, where the line says."""
    setup(configctl, namespace)
    session = terminal("edit", namespace, **editor("t + '['"))
    session.expect("your text is in ([^ \r\n]+)")
    path = Path(str(session.match.group(1)))
    session.expect_exact("[y/N]: ")
    session.sendline("n")
    assert ended(session)[0] == 130
    assert kept(tmp_path) == [path]
    assert path.read_text().endswith("[")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_somebody_else_was_faster(
    configctl: Configctl, terminal: Terminal, editor: Editor, namespace: str, tmp_path: Path, stack: Any
) -> None:
    """Their change stays, mine is put on top of it, what both changed is marked, and my text is kept."""
    setup(configctl, namespace)
    other = (
        "if n == 0:\n    for key, value in (('limit', '50'), ('other', '9')):\n"
        "        subprocess.run([sys.executable, '-c', 'from configclient.cli import main; main()', 'set', "
        f"'{namespace}', key, value, '--type', 'int'], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)"
    )
    edits = editor("t.replace('limit: 1', 'limit: 2\\nnew: 1')", "t", then=other)
    session = terminal("edit", namespace, NO_COLOR="1", **edits)
    session.expect_exact("Edit it again? [y/N]: ")
    session.sendline("y")
    session.expect("your text as it was: ([^ \r\n]+)")
    mine = session.match.group(1)
    code, shown = ended(session)
    assert code == 0, shown
    assert configctl.values(namespace) == {
        "limit": 2,
        "text": "yes\n# no comment",
        "map": {"a": [1]},
        "new": 1,
        "other": 9,
    }
    again = (tmp_path / "shown.1").read_text()
    assert re.search(r"# changed meanwhile: 1 when you began, 50 now; below is yours\n\n?# int\nlimit: 2\n", again)
    assert str(mine).endswith(".yaml")


def test_without_a_person_a_failure_names_the_file(configctl: Configctl, editor: Editor, namespace: str) -> None:
    """Nobody is asked."""
    setup(configctl, namespace)
    environ = editor("t + '['")
    outcome = configctl("edit", namespace, **environ)
    assert outcome.code == 6
    assert Path(outcome.err.rpartition("your text is in ")[2].strip()).exists()
    missing = configctl("edit", namespace, **environ | {"VISUAL": "no-such-editor"})
    assert (missing.code, "set EDITOR" in missing.err) == (2, True)
    failing = configctl("edit", namespace, **environ | {"VISUAL": "false"})
    assert (failing.code, "your text is in" in failing.err) == (2, True)


@pytest.mark.parametrize(
    ("then", "code", "word"),
    [("file.unlink()", 2, "left no text"), ("file.write_bytes(bytes([255]))", 6, "not UTF-8: nothing was written")],
)
def test_what_an_editor_may_leave(
    configctl: Configctl, editor: Editor, namespace: str, then: str, code: int, word: str
) -> None:
    """No file, or no text: one line, and nothing is written."""
    setup(configctl, namespace)
    before = configctl.revision()
    outcome = configctl("edit", namespace, **editor("t", then=then))
    assert (outcome.code, word in outcome.err, outcome.err.count("\n")) == (code, True, 1), outcome.err
    slip = configctl("edit", namespace, VISUAL="vi '")
    assert (slip.code, "VISUAL is no command" in slip.err) == (2, True)
    assert configctl.revision() == before


def test_a_dry_run_writes_nothing(configctl: Configctl, editor: Editor, namespace: str) -> None:
    """The difference is shown all the same."""
    setup(configctl, namespace)
    outcome = configctl("edit", namespace, "--dry-run", **editor("t.replace('limit: 1', 'limit: 2')"))
    assert (outcome.code, f"{namespace}/limit  1 → 2" in outcome.out) == (0, True)
    assert configctl.values(namespace)["limit"] == 1
