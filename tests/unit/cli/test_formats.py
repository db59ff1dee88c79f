"""Files of each format: what is written reads as exactly the same, and what people write reads as they mean it."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from configclient.cli import _yaml, formats
from configclient.cli._render import bare

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.booleans() | NUMBERS | TEXT
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3), max_leaves=5
)
KEYS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,8}", fullmatch=True)
HARD = [
    "",
    " x ",
    "007",
    "a # b",
    "a=b",
    "it's",
    'say "hi"',
    "$HOME ${X}",
    "true",
    "null",
    "line\nbreak\n",
    "\r",
    "日本 ☕",
    "# x",
]


def hard_values(call: Any) -> Any:
    """Adds what files usually trip over."""
    return example({f"k{number}": text for number, text in enumerate(HARD)})(call)


@pytest.mark.parametrize("name", ["json", "yaml", "toml"])
def test_a_typed_file_reads_as_it_was_written(name: str) -> None:
    """Every value with its kind: 5 is not 5.0, "5" is not 5, and no text becomes another."""
    format_ = formats.named(name)
    trees = TREES if name == "toml" else TREES | st.none()

    @settings(max_examples=60)
    @hard_values
    @given(st.dictionaries(KEYS, trees, max_size=3))
    def check(values: dict[str, Any]) -> None:
        again = format_.read(format_.write(values))
        assert json.dumps(again, sort_keys=True) == json.dumps(values, sort_keys=True)

    check()


@pytest.mark.parametrize("name", ["env", "properties", "ini"])
def test_a_file_of_texts_reads_as_it_was_written(name: str) -> None:
    """Every value as text, numbers and trees as JSON."""
    format_ = formats.named(name)

    @settings(max_examples=60)
    @hard_values
    @given(st.dictionaries(KEYS, TREES, max_size=3))
    def check(values: dict[str, Any]) -> None:
        if name == "env" and any(bare(value).endswith("\\") for value in values.values()):
            return  # see the next test
        text = format_.write(values)
        assert format_.read(text) == {key: bare(value) for key, value in values.items()}

    check()


def test_a_backslash_at_the_end_of_an_env_value() -> None:
    """It is written where it needs no quotes, and refused where it would swallow the closing one."""
    env = formats.named("env")
    assert env.read(env.write({"DIR": "C:\\dir\\"})) == {"DIR": "C:\\dir\\"}
    with pytest.raises(ValueError, match="DIR ends with a backslash"):
        env.write({"DIR": "two\nlines\\"})


ENV = r"""
# the database
export DATABASE_URL="postgres://app@db/app?sslmode=require"   # inline
EMPTY=
ZIP=01234
GREETING='it''s # no comment'
MULTI="first
second"
RAW=$HOME/bin
"""
PROPERTIES = r"""
# log4j
! another comment
log4j.rootLogger = DEBUG, A1
path = C:\\dir\\file
greeting : h\u00e9llo
long = one \
       two
empty =
"""
INI = """
global_name = x
; a comment
[server]
Host = example.com
port = 8080
paths = /a
    /b
quoted = " spaced "
url = http://x/?a=b#c
[server.tls]
on = true
"""


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        (
            "env",
            ENV.replace("''", "\\'"),
            {
                "DATABASE_URL": "postgres://app@db/app?sslmode=require",
                "EMPTY": "",
                "ZIP": "01234",
                "GREETING": "it's # no comment",
                "MULTI": "first\nsecond",
                "RAW": "$HOME/bin",
            },
        ),
        (
            "properties",
            PROPERTIES,
            {
                "log4j.rootLogger": "DEBUG, A1",
                "path": "C:\\dir\\file",
                "greeting": "héllo",
                "long": "one two",
                "empty": "",
            },
        ),
        (
            "ini",
            INI,
            {
                "global_name": "x",
                "server.Host": "example.com",
                "server.port": "8080",
                "server.paths": "/a\n/b",
                "server.quoted": " spaced ",
                "server.url": "http://x/?a=b#c",
                "server.tls.on": "true",
            },
        ),
        ("yaml", "404: none\ntrue: x\nzip: 01234\nday: 2026-11-21\nyes: no\nx: &a {b: 1}\ny: *a\n", None),
        ("toml", "day = 2026-11-21\n[a.b]\nc = 1\n", {"day": "2026-11-21", "a": {"b": {"c": 1}}}),
    ],
)
def test_what_people_write_reads_as_they_mean_it(name: str, text: str, values: dict[str, Any] | None) -> None:
    """Comments, quotes, escapes, continuations, sections, anchors, dates, leading zeros."""
    wanted = values or {
        "404": "none",
        "true": "x",
        "zip": "01234",
        "day": "2026-11-21",
        "yes": "no",
        "x": {"b": 1},
        "y": {"b": 1},
    }
    assert formats.named(name).read(text) == wanted


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("json", '{"a": 1, "a": 2}', "twice"),
        ("json", "[1]", "no JSON object"),
        ("yaml", "a: 1\nb: [", "line 2"),
        ("yaml", "a: 1\na: 2", "line 2"),
        ("yaml", "a: !!python/object:os.system x", "line 1"),
        ("yaml", "- 1", "no map"),
        ("toml", "a = 1\nb = ?\n", "line 2"),
        ("env", "A=1\nnonsense\n", "line 2"),
        ("env", "A=1\nA=2\n", "line 2"),
        ("properties", "a=1\na=2\n", "line 2: a stands here a second time"),
        ("properties", "a=\\uzzzz\n", "uzzzz"),
        ("ini", "a=1\nnonsense\n", "line 2"),
        ("ini", "[s]\na=1\na=2\n", "line 3"),
        ("ini", "s.a=1\n[s]\na=2\n", "twice"),
    ],
)
def test_what_is_not_of_the_format_is_named(name: str, text: str, word: str) -> None:
    """With its line, or the name that stands there twice."""
    with pytest.raises(ValueError, match=word):
        formats.named(name).read(text)


def test_aliases_that_unfold_without_end_are_refused() -> None:
    """A short file can't fill the memory."""
    text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    with pytest.raises(_yaml.NotYaml, match="more than"):
        _yaml.load(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/settings.yml", "yaml"),
        (".env", "env"),
        (".env.production", "env"),
        ("prod.env", "env"),
        ("X.JSON", "json"),
        ("settings", None),
    ],
)
def test_a_files_name_tells_its_format(path: str, name: str | None) -> None:
    """Or it has to be said."""
    assert formats.of_file(path) == name


def test_words_that_only_older_yaml_knows_are_text() -> None:
    """As values: `=`, `<<`, and a text with the tag `!`."""
    assert formats.named("yaml").read("a: =\nb: <<\nc: ! '*'\nd: ! '='\n") == {"a": "=", "b": "<<", "c": "*", "d": "="}


def test_a_name_that_stands_twice_in_properties_is_named_with_its_line() -> None:
    """Whatever ends the lines before it, and in whatever way the name is written."""
    text = "# one\r\na=1\\\n  2\n\nb=3\n\\u0061=4\n"
    with pytest.raises(ValueError, match="line 6: a stands here a second time"):
        formats.named("properties").read(text)
