"""The runner of the pages' blocks finds what is wrong with them."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ruamel.yaml.error import YAMLError

from tests.docs.blocks import blocks_of
from tests.docs.runner import Page, Wrong, first_difference, first_missing


@pytest.fixture
def stack() -> SimpleNamespace:
    """A service that nobody asks: these blocks need none."""
    return SimpleNamespace(url="", tokens={"admin": ""})


def run(text: str, folder: Path, stack: SimpleNamespace) -> None:
    """Run a page of this text."""
    data, work = folder / "data", folder / "work"
    data.mkdir()
    work.mkdir()
    (data / "env").touch()
    (folder / "page.md").write_text(text)
    page = Page(work, stack, data)
    try:
        for block in blocks_of(folder / "page.md"):
            page.run(block)
    finally:
        page.close()


@pytest.mark.parametrize(
    "text",
    [
        "    an indented block\n",
        "```\nwithout a language\n```\n",
        "```cobol\nin a language that nobody runs\n```\n",
        "<!-- not run: -->\n```sh\ntrue\n```\n\n```text\nof which nobody said why\n```\n",
        "```sh\nfalse\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\nno command\n```\n",
        "<!-- sh\nexit 3\n-->\n",
    ],
)
def test_what_is_wrong(text: str, tmp_path: Path, stack: SimpleNamespace) -> None:
    """Unmarked, failing and untrue blocks are found."""
    with pytest.raises(Wrong):
        run(text, tmp_path, stack)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("```python\nassert 1 == 2\n```\n", AssertionError),
        ('```json\n{"cut": …}\n```\n', json.JSONDecodeError),
        ("```yaml\na: [\n```\n", YAMLError),
    ],
)
def test_what_does_not_hold_or_parse(text: str, error: type[Exception], tmp_path: Path, stack: SimpleNamespace) -> None:
    """A program that fails, and data that can't be read, raise what they raise."""
    with pytest.raises(error):
        run(text, tmp_path, stack)


def test_a_page_goes_on_where_it_was(tmp_path: Path, stack: SimpleNamespace) -> None:
    """Blocks of a page share a terminal, a folder and Python's names; marked ones are left alone."""
    run(
        "```sh\nword=one\n```\n\n```console\n$ echo $word > file; cat file\none\n```\n\n"
        "```python\nx = 1\n```\n\n<!-- python\nassert x == 1\n-->\n\n<!-- not run: why -->\n```sh\nfalse\n```\n\n"
        "```yaml kept.yaml\na: 1\n```\n\n```sh\ngrep -q 1 kept.yaml\n```\n",
        tmp_path,
        stack,
    )


def test_shown_lines() -> None:
    """They come in their order; numbers, spaces and what is left out may differ, and words may not."""
    assert first_missing(["a  12 → 13", "id …"], "first\na 7 →  8\nid 9f3a\n") == ""
    assert first_missing(["b", "a"], "a\nb\n") == "a"
    assert first_missing(["a 1 c"], "a 1 d\n") == "a 1 c"


def test_shown_answers() -> None:
    """Members that are shown are sent, in the kind that is shown; others may be there, too."""
    assert first_difference({"a": [{"b": 1}], "<any>": 1}, {"a": [{"b": 2, "c": ""}], "d": 0}) == ""
    assert first_difference({"a": {"b": 1}}, {"a": {}}) == "the answer.a has no b"
    assert first_difference({"a": "1"}, {"a": 1}) == "the answer.a is 1"
