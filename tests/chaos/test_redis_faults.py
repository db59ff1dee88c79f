"""Redis, the fast path: killed, restarted, frozen, emptied, cutting off clients, and full of lies. Nobody notices."""

import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from configsvc.crypto import signing
from configsvc.crypto.signing import Signer
from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena
from tests.chaos.writers import ENV

pytestmark = pytest.mark.xdist_group("chaos")

OTHER_ENV = "development"


def restart(stack: Stack) -> None:
    """Redis was killed, and was there again at once."""
    stack.part("valkey").kill(restart=False)
    stack.part("valkey").start()


def flush(stack: Stack) -> None:
    """Redis was emptied."""
    with redis.Redis.from_url(stack.redis_url) as connection:
        connection.flushall()


def cut(stack: Stack) -> None:
    """Redis cut off its subscribers, as it does with slow ones."""
    with redis.Redis.from_url(stack.redis_url) as connection:
        assert connection.client_kill_filter(_type="pubsub") > 0


@pytest.mark.parametrize("hurt", [restart, flush, cut])
def test_for_a_moment(stack: Stack, tmp_path: Path, hurt: Callable[[Stack], None]) -> None:
    """Whatever was lost in that moment is there within 5 s, and push goes on."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault(hurt.__doc__ or "", masked=True):
            hurt(stack)
        arena.until_seen()
        arena.until_pushed()
        arena.finish()


@pytest.mark.chaos_long
def test_down(stack: Stack, tmp_path: Path) -> None:
    """Without Redis all clients follow by long polls, and listen again when it is back."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("Redis is down", masked=True):
            stack.part("valkey").kill(restart=False)
            arena.until(lambda: arena.clients["pushed-1"].transport == "longpoll", "it polls")
            arena.until_seen()
            arena.last_for(6)
            arena.until_seen()
            stack.part("valkey").start()
        arena.until_pushed()
        arena.until_seen()
        arena.finish()


def test_frozen(stack: Stack, tmp_path: Path) -> None:
    """A Redis that keeps its connections and says nothing is found out by its silence."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("Redis is frozen", masked=True):
            stack.part("valkey").freeze()
            arena.last_for(5)
            stack.part("valkey").resume()
        arena.until_pushed()
        arena.until_seen()
        arena.finish()


class Liar:
    """Somebody with the account that may publish, who has heard everything."""

    def __init__(self, stack: Stack, namespaces: tuple[str, str], key_file: Path) -> None:
        self._redis = redis.Redis.from_url(stack.redis_url)
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._pubsub.psubscribe("config:*")
        self._namespaces = namespaces
        signing.generate(key_file)
        self._signer = Signer.load(key_file)

    def close(self) -> None:
        """Go."""
        self._pubsub.close()
        self._redis.close()

    def hear(self, number: int) -> list[tuple[str, bytes]]:
        """The next messages that were truly published."""
        heard: list[tuple[str, bytes]] = []
        while len(heard) < number:
            if message := self._pubsub.get_message(timeout=2):
                heard.append((message["channel"].decode(), message["data"]))
        return heard

    def tell(self, channel: str, frame: bytes) -> None:
        """Publish it."""
        self._redis.publish(channel, frame)

    def lies(self, heard: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Everything that such a person could make of what was heard."""
        channels = [f"config:releases:{ENV}", *(f"config:changes:{name}:{ENV}" for name in self._namespaces)]
        for channel, frame in heard:
            version, kid, signature, json_bytes = frame.split(b".", 3)
            yield channel, frame  # a replay
            for other in {*channels} - {channel}:
                yield other, frame  # of another channel or environment
            yield channel, frame[: len(frame) // 2]
            forged = re.sub(rb'"(value|revision)": ?', rb"\g<0>9", json_bytes)
            assert forged != json_bytes
            yield channel, b".".join((version, kid, signature, forged))
            yield channel, self._signer.sign_frame(forged)
            yield channel, b".".join((version, kid, secrets.token_urlsafe(64).encode(), json_bytes))
            yield channel, b".".join((version, kid, signature, json_bytes + b" " * 2**20))
        for channel in channels:
            yield channel, b""
            yield channel, b"\xff" * 2**20
            yield channel, b"v1...."
            yield channel, b"[" * 100_000


def test_full_of_lies(stack: Stack, tmp_path: Path) -> None:
    """Forged, replayed, misdirected, truncated and huge messages change nothing, and don't end the push."""
    with Arena(stack, tmp_path) as arena:
        liar = Liar(stack, arena.namespaces, tmp_path / "other-key.pem")
        other = {"changes": [{"namespace": arena.namespaces[0], "key": "pair", "value": 7}]}
        arena.service.ask("POST", f"/v1/envs/{OTHER_ENV}/releases", other)
        arena.until_pushed()
        states = {name: len(client.states) for name, client in arena.clients.items()}
        with arena.fault("Redis is full of lies", masked=True):
            heard = liar.hear(12)
            for channel, frame in liar.lies(heard):
                liar.tell(channel, frame)
            with arena.quiet():
                # Nothing newer hides now what these would do.
                for channel, frame in liar.lies(heard):
                    liar.tell(channel, frame)
            arena.until_seen()
        liar.close()
        arena.finish()
        assert {name: len(client.states) for name, client in arena.clients.items()} == states
