"""The stream of server-sent events: what was missed, what happens, and its end."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from configsvc.service import followers, holds
from tests.delivery import wait_until
from tests.fix_database import Database
from tests.integration.api.conftest import Caller
from tests.integration.api.test_sync import SCOPE, write

STREAM = f"{SCOPE}/stream"


class Stream:
    """A stream that is read event by event."""

    def __init__(self, caller: Caller, query: str = "", **headers: str) -> None:
        self.answer = caller.get(f"{STREAM}{query}", headers=headers)
        assert self.answer.status_code == 200, self.answer.text
        self._chunks: Iterator[Any] = iter(self.answer.response)

    def __next__(self) -> dict[str, Any]:
        """The next event that has data, with its fields."""
        while True:
            lines = str(next(self._chunks), "utf-8").splitlines()
            fields = dict(line.split(": ", 1) for line in lines if line and not line.startswith(":"))
            if "data" in fields:
                return fields | {"data": json.loads(fields["data"])}

    def comment(self) -> str:
        """The next line without meaning."""
        return str(next(self._chunks), "utf-8")

    def values(self) -> dict[str, Any]:
        """What the next event changes."""
        return {change["key"]: change.get("value") for change in next(self)["data"]["changes"]}

    def close(self) -> None:
        """Go away."""
        self.answer.close()


def test_it_tells_what_is_and_then_what_happens(ops: Caller) -> None:
    """First all values, then each change of this scope; ``id`` is the cursor after it."""
    write(ops, "payments", "a", 1)
    stream = Stream(ops)
    assert stream.values() == {"a": 1}
    write(ops, "global", "b", 1)
    written = write(ops, "payments", "a", 2)
    event = next(stream)
    assert event["data"] == {"reset": False, "changes": [{"key": "a", "type": "int", "value": 2, "version": 2}]}
    assert event["id"] == written["cursor"]
    stream.close()


def test_it_goes_on_where_it_was_left(ops: Caller) -> None:
    """With ``Last-Event-ID`` or ``since``, by cursor or revision; the header of a browser goes before."""
    write(ops, "payments", "a", 1)
    first = next(Stream(ops))["id"]
    for value in (2, 3):
        write(ops, "payments", "b", value)
    for query, headers in (
        ("", {"Last-Event-ID": first}),
        (f"?since={first}", {}),
        ("?since=0", {"Last-Event-ID": "1"}),
    ):
        assert Stream(ops, query, **headers).values() == {"b": 3}


def test_another_history_is_reset(ops: Caller) -> None:
    """An id that is not in this history is answered with all values."""
    write(ops, "payments", "a", 1)
    assert next(Stream(ops, **{"Last-Event-ID": "1.0123456789abcdef"}))["data"]["reset"] is True
    assert ops.get(STREAM, headers={"Last-Event-ID": "yesterday"}).status_code == 400
    assert ops.get(f"{STREAM}?since=", headers={"Last-Event-ID": "1"}).status_code == 400


def test_it_says_that_it_is_alive_and_ends_in_time(ops: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing happens there are comments; after its time it ends, and the client comes back by itself."""
    monkeypatch.setattr(followers, "HEARTBEAT_S", 0.01)
    stream = Stream(ops, "?since=0")
    assert stream.comment().startswith("retry: ")
    assert stream.comment() == ": nothing new\n\n"
    stream.close()
    monkeypatch.undo()
    over = ops.get(f"{STREAM}?timeout=0")
    assert over.text == "retry: 2000\n: nothing new\n\n"
    assert (over.content_type, over.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
    assert over.headers["Cache-Control"] == "no-store, no-transform"


def test_all_hear_of_all_wherever_they_began(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Followers of one token come from several states, and of several tokens; each gets every change once, in order."""
    for value in range(3):
        write(ops, "payments", "a", value)
    streams = [Stream(ops, f"?since={since}") for since in (0, 1, 2, 2, 3)] + [Stream(caller("viewer"))]
    for stream, missed in zip(streams, (True, True, True, True, False, True), strict=True):
        if missed:
            assert stream.values() == {"a": 2}
    for value in range(3, 6):
        write(ops, "payments", "a", value)
        for stream in streams:
            assert stream.values() == {"a": value}
        streams.append(Stream(ops))
        assert streams[-1].values() == {"a": value}
    for stream in streams:
        stream.close()


def test_each_ends_at_its_own_time(ops: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that stands with others who stay for longer."""
    monkeypatch.setattr(followers, "HEARTBEAT_S", 30.0)
    stays = Stream(ops, "?since=0")
    assert stays.comment().startswith("retry: ")
    for timeout_s in (0, 1):  # whom they stood with is gone
        assert ops.get(f"{STREAM}?timeout={timeout_s}").text == "retry: 2000\n: nothing new\n\n"
    with ThreadPoolExecutor(1) as threads:
        values = threads.submit(stays.values)
        wait_until(lambda: any(thread.name == "configsvc-follow" for thread in threading.enumerate()))
        assert ops.get(f"{STREAM}?timeout=1").text == "retry: 2000\n: nothing new\n\n"
        write(ops, "payments", "a", 1)
        assert values.result() == {"a": 1}
    stays.close()


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("UPDATE token SET revoked_at = clock_timestamp() WHERE name = 'limited-0'", "unauthenticated"),
        ("DELETE FROM access_grant WHERE token_id = (SELECT id FROM token WHERE name = 'limited-0')", "not_found"),
    ],
)
def test_rights_that_end_end_it(
    monkeypatch: pytest.MonkeyPatch, limited: Callable[..., Caller], database: Database, ending: str, code: str
) -> None:
    """Soon, though nothing else happens; the last event says why."""
    monkeypatch.setattr(holds, "CACHE_S", 0.05)
    monkeypatch.setattr(holds, "RECHECK_S", 0.04)
    stream = Stream(limited("viewer"))
    assert stream.comment().startswith("retry: ")
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(ending)
    last = next(stream)
    assert (last["event"], last["data"]["code"]) == ("end", code)
    with pytest.raises(StopIteration):
        stream.comment()


def test_secrets_show_to_services_alone(ops: Caller, caller: Callable[[str | None], Caller]) -> None:
    """Everybody else gets fingerprints."""
    ops.post("/v1/namespaces/payments/keys", {"key": "password", "type": "string", "secret": True})
    ops.put(f"{SCOPE}/config/password", {"value": "hush"})
    assert Stream(caller("service")).values() == {"password": "hush"}
    assert "hush" not in str(next(Stream(ops))["data"])


@pytest.mark.parametrize("path", [f"{STREAM}?timeout=0", f"{STREAM.removesuffix('stream')}watch?since=0&timeout=0"])
def test_head_is_the_head_alone(ops: Caller, path: str) -> None:
    """Of what is held, too: the answer's headers, and nothing after them."""
    there, head = ops.get(path), ops.send("HEAD", path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers.get("Content-Length") == there.headers.get("Content-Length")
