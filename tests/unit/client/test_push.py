"""The listening loop over a fake Redis: what it passes on, and how it comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis
import pytest
from redis.client import PubSub
from redis.exceptions import ConnectionError as RedisConnectionError

from configclient import _push
from configclient._push import PushListener

WAIT_S = 10
CHANNELS = ("config:releases:production", "config:changes:payments:production")


class Recorder:
    """A sink that notes everything. Frames that begin with "beat" are signs of life."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.changed = threading.Condition()

    def _note(self, event: Any) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def on_subscribed(self) -> None:
        """See `Sink`."""
        self._note("subscribed")

    def on_frame(self, channel: str, frame: bytes) -> bool:
        """See `Sink`."""
        self._note((channel, frame))
        return frame.startswith(b"beat")

    def on_lost(self, reason: str) -> None:
        """See `Sink`."""
        self._note(f"lost: {reason}")

    def wait_for(self, wanted: Callable[[list[Any]], bool]) -> None:
        """Until the events are as wanted."""
        with self.changed:
            assert self.changed.wait_for(lambda: wanted(self.events), WAIT_S), self.events


class Redis:
    """One fake server, and the connections that were made to it."""

    def __init__(self) -> None:
        self.server = fakeredis.FakeServer()
        self.pubsubs: list[PubSub] = []
        self.urls: list[str] = []
        self.publisher = fakeredis.FakeRedis(server=self.server)

    def connect(self, url: str) -> PubSub:
        """In place of `_push.connect`."""
        self.urls.append(url)
        pubsub: PubSub = fakeredis.FakeRedis(server=self.server).pubsub()  # type: ignore[no-untyped-call]
        self.pubsubs.append(pubsub)
        return pubsub


@pytest.fixture
def redis() -> Redis:
    """A fake Redis."""
    return Redis()


@pytest.fixture
def sink() -> Recorder:
    """Who wants to know."""
    return Recorder()


@pytest.fixture
def listener(redis: Redis, sink: Recorder) -> Iterator[PushListener]:
    """A listener that has not been told yet where to listen."""
    listener = PushListener(CHANNELS, sink, connect=redis.connect, clock=time.monotonic, random=lambda: 0.0)
    yield listener
    listener.stop()
    if listener.thread is not None:
        listener.thread.join(WAIT_S)
        assert not listener.thread.is_alive()


def test_messages_are_passed_on_as_they_came(redis: Redis, sink: Recorder, listener: PushListener) -> None:
    """One `subscribed` when all channels are confirmed, then each message with its channel, in order."""
    listener.follow("redis://one")
    sink.wait_for(lambda events: "subscribed" in events)
    for number in range(3):
        redis.publisher.publish(CHANNELS[number % 2], f"beat {number}")
    redis.publisher.publish("config:changes:other:production", "not mine")
    sink.wait_for(lambda events: len(events) == 4)
    assert sink.events == [
        "subscribed",
        (CHANNELS[0], b"beat 0"),
        (CHANNELS[1], b"beat 1"),
        (CHANNELS[0], b"beat 2"),
    ]


def test_a_second_confirmation_is_told(redis: Redis, sink: Recorder, listener: PushListener) -> None:
    """When redis-py subscribes again behind our back, that is passed on as another `subscribed`."""
    listener.follow("redis://one")
    sink.wait_for(lambda events: events == ["subscribed"])
    redis.pubsubs[0].subscribe(CHANNELS[0])
    sink.wait_for(lambda events: events == ["subscribed", "subscribed"])


def test_a_lost_connection_is_made_again(redis: Redis, sink: Recorder, listener: PushListener) -> None:
    """Told once per failure, tried again with backoff, and subscribed anew over another connection."""
    listener.follow("redis://one")
    sink.wait_for(lambda events: events == ["subscribed"])
    redis.server.connected = False
    with pytest.raises(RedisConnectionError):
        redis.pubsubs[0].subscribe(CHANNELS[0])
    sink.wait_for(lambda events: len(events) >= 2)
    redis.server.connected = True
    sink.wait_for(lambda events: events[-1] == "subscribed" and len(events) > 2)
    assert all(event.startswith("lost: ") for event in sink.events[1:-1])
    assert len(redis.pubsubs) > 1


def test_silence_ends_the_connection(
    redis: Redis, sink: Recorder, listener: PushListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that brings messages but no sign of life is given up, whatever TCP says."""
    monkeypatch.setattr(_push, "SILENCE_S", 0.3)
    listener.follow("redis://one")
    sink.wait_for(lambda events: events == ["subscribed"])
    redis.publisher.publish(CHANNELS[0], "forged")
    sink.wait_for(lambda events: "lost: no heartbeat for 0.3 s" in events)
    sink.wait_for(lambda events: events[-1] == "subscribed")


def test_another_url_is_followed(redis: Redis, sink: Recorder, listener: PushListener) -> None:
    """The listener moves at once, without calling that a loss; told None it rests; the same URL changes nothing."""
    listener.follow("redis://one")
    sink.wait_for(lambda events: events == ["subscribed"])
    listener.follow("redis://one")
    listener.follow("redis://two")
    sink.wait_for(lambda events: events == ["subscribed", "subscribed"])
    assert redis.urls == ["redis://one", "redis://two"]
    thread = listener.thread
    listener.follow(None)
    listener.follow("redis://three")
    sink.wait_for(lambda events: events == ["subscribed"] * 3)
    assert listener.thread is thread


def test_stopping_is_quick_and_final(redis: Redis, sink: Recorder, listener: PushListener) -> None:
    """Before the start, while listening, twice: fine; nothing starts afterwards."""
    listener.follow("redis://one")
    sink.wait_for(lambda events: events == ["subscribed"])
    listener.stop()
    listener.stop()
    assert listener.thread is not None
    listener.thread.join(WAIT_S)
    assert not listener.thread.is_alive()
    listener.follow("redis://two")
    assert redis.urls == ["redis://one"]
    early = PushListener(CHANNELS, sink, connect=redis.connect, clock=time.monotonic, random=lambda: 0.0)
    early.stop()
    early.follow("redis://one")
    assert early.thread is None


def test_backoff_grows_and_is_bounded(listener: PushListener) -> None:
    """From 0.05 s to at most 3 s, jittered."""
    delays = [listener._backoff_s() for _ in range(50)]
    assert delays[0] == 0.05
    assert delays == sorted(delays)
    assert max(delays) == 1.5
    listener._random = lambda: 1.0
    assert listener._backoff_s() == 3.0


@pytest.mark.parametrize("url", ["nonsense://me:hush@host", "redis://me:hush@127.0.0.1:1", "redis://me:hush@[bad"])
def test_a_bad_url_is_a_loss_without_its_password(sink: Recorder, url: str) -> None:
    """An URL that is none, or where nobody listens, is tried again and again; its password is not told."""
    listener = PushListener(
        CHANNELS, sink, connect=lambda url: _push.connect(url, None), clock=time.monotonic, random=lambda: 0.0
    )
    listener.follow(url)
    sink.wait_for(lambda events: len(events) >= 2)
    listener.stop()
    assert listener.thread is not None
    listener.thread.join(WAIT_S)
    assert "hush" not in str(sink.events)
