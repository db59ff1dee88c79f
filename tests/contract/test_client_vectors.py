"""The client replays the vectors that every client of the protocol can be checked with."""

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from configclient import _messages, errors
from configclient._getters import Rules, Snapshot
from configclient._messages import Answer, Asked, BadFrame, Header, Part, UnknownSigner, read_answer, read_frame
from configclient._state import Alive, Doubt, Incoming, State, Swapped, apply
from configclient._table import MISSING, Table

HERE = Path(__file__).parent
FRAMES = json.loads((HERE / "frames.json").read_text("utf-8"))
RULES = json.loads((HERE / "client_rules.json").read_text("utf-8"))
GETTERS = json.loads((HERE / "getters.json").read_text("utf-8"))
ENV = FRAMES["env"]


def _b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


KEYS = {kid: Ed25519PublicKey.from_public_bytes(_b64(text)) for kid, text in FRAMES["keys"].items()}
SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(_b64(FRAMES["signing_key"]))


def _sign(message: Any) -> bytes:
    body = json.dumps(message).encode()
    signature = base64.urlsafe_b64encode(SIGNING_KEY.sign(_messages.DOMAIN + body)).rstrip(b"=")
    return b".".join((b"v1", next(iter(KEYS)).encode(), signature, body))


def _named(vectors: list[Any]) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


@pytest.mark.parametrize("vector", _named(FRAMES["good"]))
def test_good_frames(vector: Any) -> None:
    """A good frame is read as the message it holds."""
    got = read_frame(vector["frame"].encode(), vector["channel"], ENV, KEYS)
    want = vector["message"]
    assert (got.env, got.revision, got.cursor) == (want["env"], want["revision"], want["cursor"])
    if isinstance(got, Header):
        assert (got.previous, got.namespaces, got.beat) == (
            want["previous"],
            frozenset(want["namespaces"]),
            want["beat"],
        )
    else:
        assert got.namespace == want["namespace"]
        assert _shown(got) == (None if want["changes"] is None else [_wanted(change) for change in want["changes"]])


def _shown(part: Part) -> list[Any] | None:
    if part.changes is None:
        return None
    return [(key, entry and (entry.type, entry.value, entry.version)) for (_, key), entry in part.changes.items()]


def _wanted(change: Any) -> Any:
    if change.get("deleted"):
        return change["key"], None
    return change["key"], (change["type"], change.get("value", MISSING), change["version"])


@pytest.mark.parametrize("vector", _named(FRAMES["bad"]))
def test_bad_frames(vector: Any) -> None:
    """A bad frame is dropped, and is not taken for one whose key is yet to be learned."""
    with pytest.raises(BadFrame) as caught:
        read_frame(vector["frame"].encode(), vector["channel"], ENV, KEYS)
    assert not isinstance(caught.value, UnknownSigner)


@pytest.mark.parametrize("vector", _named(FRAMES["unknown_signer"]))
def test_unknown_signers(vector: Any) -> None:
    """A frame under an unknown key's name is dropped, and told apart: a sync may bring the key."""
    with pytest.raises(UnknownSigner):
        read_frame(vector["frame"].encode(), vector["channel"], ENV, KEYS)


@pytest.mark.parametrize("script", _named(RULES["scripts"]))
def test_client_rules(script: Any) -> None:
    """Step by step: the cursor, whether a sync is due, every value, and what was noticed."""
    state = State(frozenset(script["namespaces"]))
    for number, step in enumerate(script["steps"]):
        state, events = apply(state, _incoming(step, script["namespaces"]))
        alive = [{True: "current", False: "behind"}[event.current] for event in events if isinstance(event, Alive)]
        got = {
            "cursor": state.table.cursor,
            "dirty": state.dirty,
            "values": {"/".join(name): e.value for name, e in state.table.entries.items() if e.value is not MISSING},
            "alive": alive[0] if alive else None,
            "swaps": sum(isinstance(event, Swapped) for event in events),
        }
        assert got == step["then"], f"step {number}"


def _incoming(step: Any, namespaces: list[str]) -> Incoming:
    if "header" in step:
        return read_frame(_sign(step["header"]), _messages.releases_channel(ENV), ENV, KEYS)
    if "part" in step:
        channel = _messages.changes_channel(step["part"]["namespace"], ENV)
        return read_frame(_sign(step["part"]), channel, ENV, KEYS)
    if "answer" in step:
        return read_answer(json.dumps(step["answer"]).encode(), Asked(**step["to"]), namespaces)
    return Doubt()


def _values() -> Table:
    body = {
        "kind": "full",
        "revision": 1,
        "cursor": "1.a",
        "view": "v",
        "values": {GETTERS["namespace"]: GETTERS["values"]},
        "next_sync_s": 30,
        "report_within_s": 2,
    }
    answer: Answer = read_answer(json.dumps(body).encode(), Asked(None, None), [GETTERS["namespace"]])
    return Table.of(answer.revision, answer.cursor, answer.changes)


@pytest.mark.parametrize("read", GETTERS["reads"], ids=lambda read: f"{read['getter']}-{read['key']}")
def test_getters(read: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Each getter gives the value of its own type, and otherwise its default, with one warning for another type.

    But for a secret that is not known it raises, unless the caller has given the default.
    """
    snapshot = Snapshot(_values(), Rules(strict=False))
    if "raises" in read:
        with pytest.raises(getattr(errors, read["raises"])):
            getattr(snapshot, read["getter"])(GETTERS["namespace"], read["key"])
        assert getattr(snapshot, read["getter"])(GETTERS["namespace"], read["key"], "default") == "default"
        return
    with caplog.at_level(logging.WARNING, "configclient"):
        got = [getattr(snapshot, read["getter"])(GETTERS["namespace"], read["key"]) for _ in range(3)]
    assert [(type(value), value) for value in got] == [(type(got[0]), read["gives"])] * 3
    assert isinstance(got[0], type(read["gives"]))
    assert len(caplog.records) == read["warns"]


@pytest.mark.parametrize("read", GETTERS["reads"], ids=lambda read: f"{read['getter']}-{read['key']}")
def test_strict_getters(read: Any) -> None:
    """A strict client gives the same values, and raises where the others give a default."""
    snapshot = Snapshot(_values(), Rules(strict=True))
    if read["strict"] == "value":
        assert getattr(snapshot, read["getter"])(GETTERS["namespace"], read["key"]) == read["gives"]
    else:
        with pytest.raises(getattr(errors, read["strict"])):
            getattr(snapshot, read["getter"])(GETTERS["namespace"], read["key"])
