"""The bytes that clients get are exactly those of docs/protocol.md."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configsvc.domain import messages, values

CURSOR = "46.9f3a5c0d1e2b4f60"


def test_channels() -> None:
    """The channels' names are those that clients subscribe to."""
    assert messages.header_channel("production") == "config:releases:production"
    assert messages.part_channel("payments", "production") == "config:changes:payments:production"


def test_config_entry() -> None:
    """A key shows value, type, version, and that it is no secret."""
    assert messages.config_entry("int", 8, "120") == '{"value":120,"type":"int","version":8,"secret":false}'


def test_change_entries() -> None:
    """A change shows its value, a delete says so, and a secret has none."""
    assert messages.change_entry("rate", "int", 8, "120") == '{"key":"rate","type":"int","value":120,"version":8}'
    assert messages.change_entry("old", "int", 4, None) == '{"key":"old","deleted":true,"version":4}'
    assert (
        messages.secret_change_entry("db.password", "string", 3)
        == '{"key":"db.password","type":"string","secret":true,"version":3}'
    )


@pytest.mark.parametrize("text", ["1e+22", "-0.0", "5.0", "9223372036854775807", '"å\\n"', '{"b":1,"a":[]}', "false"])
def test_values_are_spliced_as_they_are(text: str) -> None:
    """The stored text of a value is sent character by character."""
    entry = messages.change_entry("k", "json", 1, text)
    assert f'"value":{text},' in entry
    assert f'"value":{text},' in messages.config_entry("json", 1, text)
    assert entry.encode() in messages.part("dev", "ns", 1, CURSOR, [entry])


def test_part() -> None:
    """A part is compact JSON in UTF-8 that names its scope, revision and cursor."""
    entries = [messages.change_entry("greeting", "string", 1, '"hé"'), messages.change_entry("old", "int", 4, None)]
    assert (
        messages.part("production", "payments", 46, CURSOR, entries)
        == (
            '{"env":"production","namespace":"payments","revision":46,"cursor":"46.9f3a5c0d1e2b4f60","changes":['
            '{"key":"greeting","type":"string","value":"hé","version":1},{"key":"old","deleted":true,"version":4}]}'
        ).encode()
    )


@pytest.mark.parametrize(("extra", "sent"), [(0, True), (1, False)])
def test_a_list_over_64_kib_is_null(extra: int, sent: bool) -> None:
    """A list of exactly 64 KiB is sent; one byte more, counted in UTF-8, and it is null."""
    shortest = "[" + messages.change_entry("k", "string", 1, '"é"') + "]"
    padding = "x" * (64 * 1024 - len(shortest.encode()) + extra)
    entry = messages.change_entry("k", "string", 1, f'"é{padding}"')
    part = json.loads(messages.part("dev", "ns", 1, CURSOR, [entry]))
    assert (part["changes"] is not None) == sent
    assert part["cursor"] == CURSOR


def test_header() -> None:
    """A header names its release, the one before, the namespaces and the beat."""
    assert messages.header("production", 46, CURSOR, "45.77abf01c2d3e4f50", ["payments", "search"], 17) == (
        b'{"env":"production","revision":46,"cursor":"46.9f3a5c0d1e2b4f60","previous":"45.77abf01c2d3e4f50",'
        b'"namespaces":["payments","search"],"beat":17}'
    )


def test_header_of_the_beginning() -> None:
    """Nothing comes before revision 0, and it touches no namespace."""
    header = json.loads(messages.header("dev", 0, "0.0000000000000000", None, [], 1))
    assert header["previous"] is None
    assert header["namespaces"] == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_every_value_arrives_as_it_was(value: object) -> None:
    """Whatever a value holds, a JSON reader gets it back from a part, with the names beside it untouched."""
    try:
        text = values.to_text("json", value)
        text.encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair, which the strict door refuses
    part = json.loads(messages.part("dev", "ns", 3, CURSOR, [messages.change_entry("k", "json", 2, text)]))
    assert part == {
        "env": "dev",
        "namespace": "ns",
        "revision": 3,
        "cursor": CURSOR,
        "changes": [{"key": "k", "type": "json", "value": value, "version": 2}],
    }
