"""What is no sync answer is refused as a whole, in one line, and never half applied."""

import json
from typing import Any

import pytest

from configclient._messages import Asked, Malformed, read_answer

KEYS = {"56475aa75463474c": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"}
GOOD: dict[str, Any] = {
    "kind": "full",
    "reset": False,
    "revision": 1,
    "cursor": "1.aaaa",
    "view": "v1",
    "values": {"payments": {"a": {"value": 1, "type": "int", "version": 1, "secret": False}}},
    "next_sync_s": 30,
    "report_within_s": 2,
    "push": {"url": "redis://redis.example:6379/0", "keys": KEYS},
}
NOTHING = Asked(None, None)


def test_a_good_one_is_read() -> None:
    """The answer from which the bad ones below are made is good."""
    answer = read_answer(json.dumps(GOOD).encode(), NOTHING, ["payments"])
    assert (answer.kind, answer.revision, len(answer.changes)) == ("full", 1, 1)
    assert answer.push is not None
    assert answer.push.keys.keys() == KEYS.keys()


@pytest.mark.parametrize(
    ("different", "told"),
    [
        ({"kind": 1}, "kind is no text"),
        ({"kind": "none"}, "a request that has nothing"),
        ({"kind": "changes", "changes": {}}, "a request that has nothing"),
        ({"revision": -1}, "revision is no count"),
        ({"cursor": ""}, "cursor is no text"),
        ({"view": None}, "view is no text"),
        ({"values": []}, "values is no object"),
        ({"values": {}}, "no payments"),
        ({"values": {"payments": {"a": 1}}}, "no object around"),
        ({"values": {"payments": {"a": {"value": "1", "type": "int", "version": 1}}}}, "a value that is no int"),
        ({"next_sync_s": "30"}, "next_sync_s is no number"),
        ({"report_within_s": True}, "report_within_s is no number"),
        ({"push": "redis://redis.example"}, "no object around keys"),
        ({"push": {"url": "redis://redis.example", "keys": {"56475aa75463474c": "?"}}}, "a signing key that is none"),
        (
            {"push": {"url": "redis://redis.example", "keys": {"0" * 16: KEYS["56475aa75463474c"]}}},
            "a signing key under another key's name",
        ),
    ],
)
def test_a_bad_one_is_refused(different: dict[str, Any], told: str) -> None:
    """It says in one line what is wrong."""
    with pytest.raises(Malformed) as caught:
        read_answer(json.dumps({**GOOD, **different}).encode(), NOTHING, ["payments"])
    assert told in str(caught.value)


def test_what_is_no_json_is_refused() -> None:
    """A proxy's page of HTML, say."""
    with pytest.raises(Malformed, match="not JSON"):
        read_answer(b"<html>", NOTHING, ["payments"])


@pytest.mark.parametrize(
    ("different", "told"),
    [({"kind": "half"}, "unknown kind 'half'"), ({"kind": "changes", "changes": {"search": []}}, "not asked for")],
)
def test_what_changes_a_state_has_to_fit_it(different: dict[str, Any], told: str) -> None:
    """A client shows nothing of kinds that it does not know, nor of namespaces that it does not follow."""
    with pytest.raises(Malformed, match=told):
        read_answer(json.dumps({**GOOD, **different}).encode(), Asked("1.aaaa", "v1"), ["payments"])
