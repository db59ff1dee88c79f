"""What people see: one line per change, aligned tables, nothing that moves the cursor."""

from typing import Any

import click
import pytest

from configclient.cli import _render as render


def test_values_are_shown_as_json() -> None:
    """A string can be told from a number."""
    assert [render.short(value) for value in (5, "5", 5.0, True, {"ü": [1]})] == [
        "5",
        '"5"',
        "5.0",
        "true",
        '{"ü": [1]}',
    ]


def test_no_value_can_drive_the_terminal() -> None:
    """Escapes, line ends and direction marks are written out, never sent."""
    shown = render.short("a\x1b[2J\n\x9b\u202e\U000e0001")
    assert shown.isprintable()
    assert shown == '"a\\u001b[2J\\n\\u009b\\u202e\\U000e0001"'


def test_a_long_value_is_cut() -> None:
    """A line stays a line."""
    assert len(render.short("x" * 1000)) == render.VALUE_COLUMNS_MAX


def plain(rows: list[tuple[str, str]]) -> list[str]:
    """The lines of a table, without its colours."""
    return [click.unstyle(line) for line in render.table(("K", "V"), rows)]


def test_columns_line_up_with_wide_characters() -> None:
    """Characters that take two columns are counted as two."""
    assert plain([("a", "東京"), ("bb", "x")]) == ["K   V", "a   東京", "bb  x"]
    assert plain([("東京", "1"), ("e\u0301", "2")]) == ["K     V", "東京  1", "e\u0301     2"]


def test_a_note_cannot_drive_the_terminal() -> None:
    """Notes and names of people are shown as they are, but in one line, and cut."""
    entry = {"created_at": "2026-11-17T14:00:00Z", "changed_by": "a\x1b[2J", "kind": "edit", "note": "one\ntwo" * 100}
    (_, line) = render.releases([entry | {"revision": 1, "namespaces": ["payments"]}])
    assert line.isprintable()
    assert "one two" in line
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ({}, "dry run, nothing was written"),
        ({"review_required": True}, "dry run, nothing was written; production requires a review"),
        (
            {"review_required": False, "watchers": {"count": 3, "services": ["checkout", "search"]}},
            "dry run, nothing was written; watchers: 3 (checkout, search)",
        ),
        ({"watchers": {"count": 0, "services": []}}, "dry run, nothing was written; watchers: 0"),
    ],
)
def test_a_dry_run_says_what_else_the_write_would_mean(answer: dict[str, Any], line: str) -> None:
    """That nothing was written, whether it takes a review, and who would hear of it; as far as the service says so."""
    assert render.dry_run({"env": "production"} | answer) == line
