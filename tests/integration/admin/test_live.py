"""The stream by which pages hear of changes by others."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from configsvc.service import holds, moves
from tests.delivery import superuser, wait_until
from tests.fix_database import Database
from tests.integration.admin.conftest import Browser
from tests.integration.admin.test_pages import Page, put
from tests.integration.api.conftest import Caller

OTHER_HISTORY = "UPDATE release SET hash = sha256(random()::text::bytea) WHERE revision = 1"


def follow(browser: Browser, address: str, **headers: str) -> Iterator[str]:
    """Follow a stream; its events that are more than a heartbeat."""
    answer = browser.client.get(address, headers=headers)
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream"), answer.text
    chunks: Iterator[Any] = iter(answer.response)
    return (text for chunk in chunks if "data:" in (text := str(chunk, "utf-8")))


def test_a_page_hears_that_others_changed_something(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """In any of the environments that it shows, also what came before the stream was opened; it resumes by id."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("viewer")
    page = Page(ours.get("/ui/namespaces/payments").text)
    (address,) = [attributes["data-live"] or "" for _, attributes in page.tags if "data-live" in attributes]
    put(ops, "rate_limit", 101, "int")
    events = follow(ours, address)
    first = next(events)
    assert 'data: ["development"]' in first
    put(ops, "rate_limit", 100, "int", "staging")
    assert 'data: ["staging"]' in next(events)
    resumed = follow(ours, address, **{"Last-Event-ID": first.partition("id: ")[2].partition("\n")[0]})
    assert 'data: ["staging"]' in next(resumed)


def test_pages_that_can_be_overtaken_are_live(signed_in: Callable[..., Browser], ops: Caller) -> None:
    """Overview, namespace and the newest page of history; older pages of it stay as they are."""
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("viewer")
    for path, live in (
        ("/ui/", True),
        ("/ui/namespaces/payments", True),
        ("/ui/envs/development/history", True),
        ("/ui/envs/development/history?before=1", False),
    ):
        text = ours.get(path).text
        assert ('data-live="/ui/events?after=' in text, 'id="live"' in text) == (live, True), path


def test_a_stream_is_for_who_may_read(signed_in: Callable[..., Browser], browser: Callable[[], Browser]) -> None:
    """Nobody hears of an environment without a grant there; what can't be read is refused; the rest signs in."""
    ours = signed_in("viewer", "payments", ["development"])
    for after, status in (("staging:0", 404), ("development:0,staging:0", 404), ("", 400), ("a", 400), ("a:b", 400)):
        assert ours.get("/ui/events", query_string={"after": after}).status_code == status, after
    assert "/ui/sign-in" in (browser().get("/ui/events?after=development:0").location or "")


def test_a_stream_without_a_session_ends(browser: Callable[[], Browser]) -> None:
    """What follows a stream is told not to come back, and no page of HTML, which a browser would complain of."""
    answer = browser().get("/ui/events?after=development:0", headers={"Accept": "text/event-stream"})
    assert (answer.status_code, answer.data) == (204, b"")


def test_a_stream_ends_with_its_session(
    signed_in: Callable[..., Browser], ops: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing out ends it within seconds, and it says why."""
    monkeypatch.setattr(holds, "RECHECK_S", 0.05)
    monkeypatch.setattr(moves, "HEARTBEAT_S", 0.2)
    put(ops, "rate_limit", 100, "int")
    ours = signed_in("viewer")
    ours.get("/ui/")
    events = follow(ours, "/ui/events?after=development:1")
    assert ours.post("/ui/sign-out", {}).status_code == 303
    assert "unauthenticated" in next(events)
    assert list(events) == []


def test_a_restored_database_wakes_pages(
    signed_in: Callable[..., Browser], ops: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that shows more than there is, is told to look again, and then follows the new history."""
    monkeypatch.setattr(moves, "HEARTBEAT_S", 0.2)
    put(ops, "rate_limit", 100, "int")
    events = follow(signed_in("viewer"), "/ui/events?after=development:7")
    assert "id: development:1" in next(events)
    put(ops, "rate_limit", 101, "int")
    assert "id: development:2" in next(events)


def test_another_history_of_the_same_length_wakes_pages(
    signed_in: Callable[..., Browser], ops: Caller, database: Database
) -> None:
    """A database that was exchanged for one at the same revision shows what it has without anybody's doing."""
    put(ops, "rate_limit", 100, "int")
    events = follow(signed_in("viewer"), "/ui/events?after=development:0,staging:0")
    assert 'data: ["development"]' in next(events)
    with superuser(database.superuser_url) as connection:
        connection.execute("SET session_replication_role = replica")
        with ThreadPoolExecutor(1) as other:
            coming = other.submit(next, events)
            # Again and again: the hub may not have read the first one yet.
            wait_until(lambda: bool(connection.execute(OTHER_HISTORY)) and coming.done())
    event = coming.result()
    assert ("id: development:1,staging:0" in event, 'data: ["development"]' in event) == (True, True)
