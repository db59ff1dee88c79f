"""What people see: one line per change, aligned tables, nothing that moves the cursor."""

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


def test_columns_line_up_with_wide_characters() -> None:
    """Characters that take two columns are counted as two."""
    assert render.table(("K", "V"), [("a", "東京"), ("bb", "x")]) == ["K   V", "a   東京", "bb  x"]
    assert render.table(("K", "V"), [("東京", "1"), ("e\u0301", "2")]) == ["K     V", "東京  1", "e\u0301     2"]
