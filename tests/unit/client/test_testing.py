"""The client for tests: it behaves as a real one whose service says what the test says."""

import asyncio
import doctest
import re
import threading
from pathlib import Path
from typing import Any

import pytest

import configclient.testing
from configclient import Change, ConfigClient, ConfigRejected, MissingKey, Snapshot, WrongType
from configclient.testing import DELETED, FakeClient
from configclient.testing.fixtures import fake_config

__all__ = ["fake_config"]

WAIT_S = 10


def test_the_documented_examples_run() -> None:
    """What the module's page shows is what happens."""
    results = doctest.testmod(configclient.testing)
    assert results.attempted > 5
    assert results.failed == 0


def test_the_guides_examples_run() -> None:
    """So does what docs/client.md shows under "Tests of your own", with what it says about it."""
    guide = Path(__file__).parents[3] / "docs" / "client.md"
    _, _, section = guide.read_text().partition("## Tests of your own\n")
    blocks = re.findall(r"^```python\n(.*?)^```", section.partition("\n## ")[0], flags=re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec("\n".join(blocks), names)
    with names["client"] as client:
        assert client.snapshot().revision == 3
        assert client.get("payments", "rate_limit") == 200
        assert client.get("payments", "greeting") is None
        assert client.get("global", "on") is True
        assert client.status().last_error == "no route to host"
    assert names["fake_config"] is fake_config


def test_it_is_a_client(fake_config: FakeClient) -> None:
    """Getters, snapshots and live handles of all five types; the fixture's client begins empty."""
    assert isinstance(fake_config, ConfigClient)
    assert fake_config.snapshot().revision == 1
    limit = fake_config.live("payments", "rate_limit", 50)
    before = fake_config.snapshot()
    fake_config.push(
        {"payments": {"rate_limit": 100, "name": "shop", "on": True, "ratio": 0.5, "tree": {"a": [1]}, "none": None}}
    )
    assert (limit.value, before.get("payments", "rate_limit")) == (100, None)
    assert fake_config.get_int("payments", "rate_limit") == 100
    assert fake_config.get_str("payments", "name") == "shop"
    assert fake_config.get_bool("payments", "on") is True
    assert fake_config.get_float("payments", "ratio") == 0.5
    assert fake_config.get_json("payments", "none", 5) is None
    with pytest.raises(TypeError, match="read-only"):
        fake_config.get_json("payments", "tree")["a"] = 2


def test_one_push_is_one_release(fake_config: FakeClient) -> None:
    """All its changes are shown together; a pinned block keeps the state before."""
    seen: list[Any] = []

    def note(change: Change) -> None:
        snapshot = fake_config.snapshot()
        seen.append((snapshot.revision, snapshot.get("payments", "a"), snapshot.get("global", "b"), change.key))

    fake_config.on_change(note)
    assert fake_config.push({"payments": {"a": 1}, "global": {"b": 2}}) == 2
    assert seen == [(2, 1, 2, "b"), (2, 1, 2, "a")]
    with fake_config.pinned():
        fake_config.push({"payments": {"a": 3}})
        assert fake_config.get("payments", "a") == 1
    assert seen[2] == (3, 3, 2, "a")
    assert fake_config.get("payments", "a") == 3


@pytest.mark.parametrize(
    ("key", "value"),
    [("int", 1.5), ("int", True), ("int", 2**63), ("string", 1), ("bool", 1), ("float", "x"), ("float", float("nan"))],
)
def test_a_value_of_another_type_changes_nothing(key: str, value: Any) -> None:
    """A key keeps the type of its first value, also when it was deleted in between; the whole push is refused."""
    client = FakeClient({"payments": {"int": 1, "string": "x", "bool": True, "float": 0.5}})
    client.push({"payments": {key: DELETED}})
    with pytest.raises(ValueError, match=f"payments/{key} is declared {key}"):
        client.push({"payments": {"other": 1, key: value}})
    assert client.snapshot().revision == 2
    assert client.get("payments", "other") is None


def test_whole_numbers_are_floats_where_floats_are_declared() -> None:
    """As the service does it."""
    client = FakeClient({"payments": {"ratio": 0.5}})
    client.push({"payments": {"ratio": 2}})
    assert repr(client.get_float("payments", "ratio")) == "2.0"


def test_what_no_setting_can_hold_is_refused() -> None:
    """Objects that are not JSON."""
    with pytest.raises(ValueError, match="payments/key is declared json"):
        FakeClient({"payments": {"key": object()}})


def test_it_is_strict_when_told() -> None:
    """MissingKey and WrongType as from the real one."""
    client = FakeClient({"payments": {"rate_limit": 100}}, strict=True)
    with pytest.raises(MissingKey):
        client.get_int("payments", "nope")
    with pytest.raises(WrongType):
        client.get_str("payments", "rate_limit")


def test_accept_works() -> None:
    """A refused push is not shown, the next good one lands on top of it; refused at first, it raises."""

    def accept(snapshot: Snapshot) -> None:
        if snapshot.get_int("payments", "rate_limit") <= 0:
            raise ValueError("too low")

    client = FakeClient({"payments": {"rate_limit": 1}}, accept=accept)
    client.push({"payments": {"rate_limit": 0, "name": "new"}})
    assert (client.status().state, client.status().last_error) == ("rejected", "ValueError: too low")
    assert client.get_int("payments", "rate_limit") == 1
    client.push({"payments": {"rate_limit": 2}})
    assert (client.status().state, client.get_str("payments", "name")) == ("live", "new")
    with pytest.raises(ConfigRejected, match="too low"):
        FakeClient(accept=accept)


def test_listeners_hear_in_order(fake_config: FakeClient) -> None:
    """A listener that pushes is told of that after the present change; a cancelled and a raising one do no harm."""
    heard: list[Any] = []

    def push_more(change: Change) -> None:
        heard.append(("first", change.new))
        if change.new < 3:
            fake_config.push({"payments": {"n": change.new + 1}})

    fake_config.on_change(push_more)
    fake_config.on_change(lambda _: 1 / 0)
    fake_config.on_change(heard.append).cancel()
    fake_config.on_change(lambda change: heard.append(("second", change.new)))
    fake_config.push({"payments": {"n": 1}})
    assert heard == [(who, number) for number in (1, 2, 3) for who in ("first", "second")]


def test_waiting(fake_config: FakeClient) -> None:
    """`wait_for` and `await_for` end with the push from another thread, or when the client is closed."""
    threading.Timer(0.01, fake_config.push, [{"payments": {"a": 1}}]).start()
    assert fake_config.wait_for(2, WAIT_S)
    threading.Timer(0.01, fake_config.push, [{"payments": {"a": 2}}]).start()
    assert asyncio.run(fake_config.await_for(3, WAIT_S))
    threading.Timer(0.01, fake_config.close).start()
    assert not asyncio.run(fake_config.await_for(4, WAIT_S))
    assert fake_config.status().state == "closed"
    assert fake_config.get("payments", "a") == 2


def test_states_on_demand(fake_config: FakeClient) -> None:
    """`status` says what the test wants to see handled; the values stay."""
    fake_config.set_state("offline", "no route to host")
    status = fake_config.status()
    assert (status.state, status.transport, status.last_error) == ("offline", "none", "no route to host")
    fake_config.set_state("live")
    assert (fake_config.status().transport, fake_config.status().last_error) == ("redis", None)


@pytest.mark.parametrize(
    ("getter", "before", "after"),
    [
        ("get", "a", "b"),
        ("get_str", "a", "b"),
        ("get_int", 1, 2),
        ("get_float", 1.5, 2.5),
        ("get_bool", True, False),
        ("get_json", {"a": [1]}, {"a": [2]}),
    ],
)
def test_each_getter_reads_the_pinned_revision(getter: str, before: object, after: object) -> None:
    """Whatever arrives meanwhile, until the block ends."""
    with FakeClient({"payments": {"key": before}}) as client:
        with client.pinned():
            client.push({"payments": {"key": after}})
            assert getattr(client, getter)("payments", "key") == before
        assert getattr(client, getter)("payments", "key") == after
