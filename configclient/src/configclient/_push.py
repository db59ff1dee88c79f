"""The Redis side: one thread that listens, and hands every message on as it came.

redis-py subscribes again by itself after an error, silently, and messages in between are lost. So this loop is our own:
an error ends the connection, a new one is made after a backoff, and every `subscribe` confirmation is passed on as
"something may have been missed", whether we asked for it or redis-py did.

| what happens | what this does | who heals the state |
| --- | --- | --- |
| connection refused, reset, closed | `on_lost`, reconnect after a backoff | the refresher polls meanwhile |
| silence: no sign of life for SILENCE_S, whatever TCP says | the same | the same |
| redis-py reconnected behind our back | `on_subscribed` | a sync |
| the same, and the URL names several nodes | the same, at the next node | a sync |
| another URL is offered | listen there instead | `on_subscribed`, a sync |
"""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from ._redis_address import Master, master, nodes
from ._state import SILENCE_S

if TYPE_CHECKING:
    from redis.client import PubSub

log = logging.getLogger("configclient")

TICK_S: Final = 0.25  # how soon the thread notices `stop`, a new URL, and silence
CONNECT_TIMEOUT_S: Final = 1.0
SOCKET_TIMEOUT_S: Final = 2.0
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 3.0


class Sink(Protocol):
    """Who wants to know. All are called on the listener's thread."""

    def on_subscribed(self) -> None:
        """Subscribed, or subscribed again: what was published before this moment may have been missed."""

    def on_frame(self, channel: str, frame: bytes) -> bool:
        """A message came; true if it was a sign of life."""

    def on_lost(self, reason: str) -> None:
        """There is no subscription any more."""


def import_redis() -> None:
    """Half of all that `import configclient` would cost, so it waits for the first client that wants push.

    That client's constructor calls this, on the application's thread: were a fork to catch the listener's thread in the
    middle of an import, the child would wait for ever for that module's lock, and so would the application's own code.
    redis-py imports the last of what it needs when a connection is made, so one is made here, and not used.
    """
    connect("redis://localhost", None).connection_pool.make_connection()


def connect(url: str, ca_file: str | None) -> "PubSub":
    """A PubSub that fails at once and tells, instead of trying again. Raises RedisError, OSError, ValueError."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    bounds: dict[str, Any] = {
        "protocol": 2,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": 0,
        "retry": Retry(NoBackoff(), 0),
    }
    if ca_file is not None and url.startswith("rediss"):
        bounds["ssl_ca_certs"] = ca_file
    known = master(url)
    client = redis.Redis.from_url(url if known is None else _where_now(known, bounds), **bounds)
    pubsub: PubSub = client.pubsub()  # type: ignore[no-untyped-call]  # redis-py has left it without types
    return pubsub


def _where_now(known: Master, bounds: dict[str, Any]) -> str:
    """Ask the sentinels, one after the other, and leave no connection to them: applications are many."""
    import redis

    options = {**bounds, "ssl": known.tls}
    sentinel = redis.Sentinel(known.sentinels, sentinel_kwargs=options)  # type: ignore[no-untyped-call]
    try:
        return known.url(*sentinel.discover_master(known.name))  # type: ignore[no-untyped-call]
    finally:
        for asked in sentinel.sentinels:
            asked.close()


class PushListener:
    """Listens on `channels` at whatever URL it is told. Its thread starts with the first URL, and ends with `stop`."""

    def __init__(
        self,
        channels: tuple[str, ...],
        sink: Sink,
        *,
        connect: Callable[[str], "PubSub"],
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._channels = channels
        self._sink = sink
        self._connect = connect
        self._clock = clock
        self._random = random
        self._first = random()
        self.url: str | None = None
        self._pubsub: PubSub | None = None
        self._stopped = False
        self._wake = threading.Event()
        self._failures = 0
        self.thread: threading.Thread | None = None

    def follow(self, url: str | None) -> None:
        """Listen there from now on; None for nowhere."""
        if url == self.url or self._stopped:
            return
        self.url = url
        self._wake.set()
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, name="configclient-push", daemon=True)
            self.thread.start()

    def stop(self) -> None:
        """End within a tick; does not wait for it."""
        self._stopped = True
        self._wake.set()

    def abandon(self) -> None:
        """In the child of a fork: close our copy of the socket. redis-py sees that it is the parent's: no shutdown."""
        self._stopped = True  # under gevent the "thread" is a greenlet, and has come along
        connection: Any = self._pubsub.connection if self._pubsub is not None else None
        if connection is not None:
            connection.disconnect()

    def _run(self) -> None:
        from redis.exceptions import RedisError

        while not self._stopped:
            self._wake.clear()
            url = self.url
            if url is None:
                self._wait(None)
                continue
            try:
                self._listen(url)
            except (RedisError, OSError, ValueError) as error:
                if not self._stopped:
                    self._sink.on_lost(_reason(error))
                    self._wait(self._backoff_s())

    def _wait(self, timeout_s: float | None) -> None:
        if not self._stopped:
            self._wake.wait(timeout_s)

    def _backoff_s(self) -> float:
        delay_s = min(BACKOFF_FIRST_S * 2.0 ** min(self._failures, 10), BACKOFF_MAX_S)
        self._failures += 1
        return delay_s * (0.5 + 0.5 * self._random())

    def _listen(self, url: str) -> None:
        """Until told otherwise, or an error."""
        pubsub = self._pubsub = self._connect(self._one_of(nodes(url)))
        try:
            pubsub.subscribe(*self._channels)
            heard_at = self._clock()
            unconfirmed = set(self._channels)
            while url == self.url and not self._stopped:
                message = pubsub.get_message(timeout=TICK_S)
                if message is not None and self._hand_on(message, unconfirmed):
                    heard_at = self._clock()
                    self._failures = 0
                if self._clock() - heard_at > SILENCE_S:
                    raise TimeoutError(f"no heartbeat for {SILENCE_S} s")
        finally:
            self._pubsub = None
            pubsub.close()

    def _one_of(self, addresses: list[str]) -> str:
        """Any of them at first, so that clients spread; the next one after each failure."""
        return addresses[(int(self._first * len(addresses)) + self._failures) % len(addresses)]

    def _hand_on(self, message: dict[str, Any], unconfirmed: set[str]) -> bool:
        """Pass one message on; true if it was a sign of life."""
        channel = message["channel"].decode("utf-8", "replace")
        if message["type"] == "message":
            return self._sink.on_frame(channel, message["data"])
        if message["type"] == "subscribe":
            unconfirmed.discard(channel)
            # Once when the last one is confirmed. Any confirmation after that is a subscription we did not ask for.
            if not unconfirmed:
                self._sink.on_subscribed()
        return False


def _reason(error: BaseException) -> str:
    """redis-py's errors name host and port, never the password. A ValueError may quote the URL, so it does not pass."""
    if isinstance(error, ValueError):
        return "the push URL is not one that this client understands"
    return " ".join((str(error) or type(error).__name__).split())[:300]
