"""The reader of sql/queries: every query under its name, without loss."""

import ast
import re
from pathlib import Path

import pytest

from configsvc.store import queries

FILES = sorted((queries.sql_dir() / "queries").glob("*.sql"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_line_of_a_file_belongs_to_one_query(file: Path) -> None:
    """Names are unique, and no query is empty."""
    text = file.read_text("utf-8")
    loaded = queries.load(file.stem)
    assert text.startswith("-- ")
    assert len(loaded) == len(re.findall(r"^-- [a-z_]+: ", text, re.MULTILINE))
    assert all(loaded.values())
    assert sum(query.count("\n") + 2 for query in loaded.values()) >= len(re.findall(r"^.+$", text, re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_query_is_used_and_every_used_one_is_there(file: Path) -> None:
    """A name that nobody asks for is dead, and one that isn't there fails at run time only."""
    asked = set()
    for module in (Path(queries.__file__).parent).glob("*.py"):
        source = module.read_text("utf-8")
        if f'load("{file.stem}")' in source:
            strings = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
            asked |= strings & set(queries.load(file.stem))
    assert asked == set(queries.load(file.stem))


def test_a_query_ends_where_the_next_one_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text between two headings is the first one's query, comments inside it included."""
    (tmp_path / "queries").mkdir()
    text = "-- one: first\nSELECT 1 -- not: a heading\n\n-- two: second\nSELECT 2\n"
    (tmp_path / "queries" / "example.sql").write_text(text)
    monkeypatch.setattr(queries, "sql_dir", lambda: tmp_path)
    assert queries.load("example") == {"one": "SELECT 1 -- not: a heading", "two": "SELECT 2"}
    queries.load.cache_clear()
