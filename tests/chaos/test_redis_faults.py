"""Redis, the fast path: killed, restarted, frozen, emptied, cutting off clients, and full of lies. Nobody notices."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from configsvc.crypto import signing
from configsvc.crypto.signing import Signer
from configsvc.dev.stack import Stack
from tests.chaos.arena import Arena
from tests.chaos.writers import ENV

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


@pytest.mark.long
def test_down(stack: Stack, tmp_path: Path) -> None:
    """Without Redis all clients follow by long polls, and listen again when it is back."""
    with Arena(stack, tmp_path) as arena:
        with arena.fault("Redis is down", masked=True):
            with arena.calm():
                stack.part("valkey").kill(restart=False)
                arena.until(lambda: arena.clients["pushed-1"].transport == "longpoll", "it polls")
                arena.write(1)
                arena.last_for(6)
                arena.write(2)
            arena.until_seen()
            stack.part("valkey").start()
        arena.until_pushed()
        arena.until_seen()
        arena.finish()


@pytest.mark.long
def test_frozen(stack: Stack, tmp_path: Path) -> None:
    """A Redis that keeps its connections and says nothing is found out by its silence."""
    with Arena(stack, tmp_path) as arena:
        with arena.calm(), arena.fault("Redis is frozen", masked=True):
            stack.part("valkey").freeze()
            arena.write(1)
            arena.last_for(6)
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
        self._pubsub.get_message(timeout=2)  # the confirmation
        self._namespaces = namespaces
        signing.generate(key_file)
        self._signer = Signer.load(key_file)

    def close(self) -> None:
        """Go."""
        self._pubsub.close()
        self._redis.close()

    def hear(self, number: int) -> list[tuple[str, bytes]]:
        """The next messages of the environment that are truly published from now on."""
        while self._pubsub.get_message(timeout=0.01) is not None:
            pass
        heard: list[tuple[str, bytes]] = []
        while len(heard) < number:
            message = self._pubsub.get_message(timeout=2)
            if message and message["channel"].endswith(f":{ENV}".encode()):
                heard.append((message["channel"].decode(), message["data"]))
        return heard

    def tell(self, channel: str, frame: bytes) -> None:
        """Publish it."""
        self._redis.publish(channel, frame)

    def lies(self, heard: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """Everything that such a person could make of what was heard."""
        yield from self._false_release(heard)
        channels = [f"config:releases:{ENV}", *(f"config:changes:{name}:{ENV}" for name in self._namespaces)]
        for channel, frame in heard:
            yield channel, frame  # a replay
            yield channel.replace(ENV, OTHER_ENV), frame
            yield from ((other, frame) for other in channels if other != channel)
            yield channel, frame[: len(frame) // 2]
            yield channel, frame + b" " * 2**20
        for channel in channels:
            yield from ((channel, rubbish) for rubbish in (b"", b"v1....", b"\xff" * 2**20, b"[" * 100_000))

    def _false_release(self, heard: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
        """The next release, just as it would be, but for its signature."""
        channel, frame = next((channel, frame) for channel, frame in reversed(heard) if ":releases:" in channel)
        version, kid, signature, json_bytes = frame.split(b".", 3)
        last = json.loads(json_bytes)
        revision, first = last["revision"] + 1, self._namespaces[0]
        common = {"env": ENV, "revision": revision, "cursor": f"{revision}.0123456789abcdef"}
        change = {"key": "pair", "type": "int", "value": 10**6, "version": 10**6}
        part = {**common, "namespace": first, "changes": [change]}
        beat = last["beat"] + 10**9
        header = {**common, "previous": last["cursor"], "namespaces": [first], "beat": beat}
        for where, content in ((f"config:changes:{first}:{ENV}", part), (channel, header)):
            forged = json.dumps(content).encode()
            yield where, b".".join((version, kid, signature, forged))
            yield where, self._signer.sign_frame(forged)
            yield where, b".".join((version, kid, *self._signer.sign_frame(forged).split(b".", 3)[2:]))


@pytest.mark.long
def test_full_of_lies(stack: Stack, tmp_path: Path) -> None:
    """Forged, replayed, misdirected, truncated and huge messages change nothing, and don't end the push."""
    with Arena(stack, tmp_path) as arena:
        liar = Liar(stack, arena.namespaces, tmp_path / "other-key.pem")
        other = {"changes": [{"namespace": arena.namespaces[0], "key": "pair", "value": 7}]}
        arena.service.ask("POST", f"/v1/envs/{OTHER_ENV}/releases", other)
        arena.until_pushed()
        states = {name: len(client.states) for name, client in arena.clients.items()}
        with arena.fault("Redis is full of lies", masked=True):
            for channel, frame in liar.lies(liar.hear(12)):
                liar.tell(channel, frame)
            with arena.calm():
                # Nothing newer hides now what these would do.
                for channel, frame in liar.lies(liar.hear(1)):
                    liar.tell(channel, frame)
                liar.hear(2)
            arena.until_seen()
        liar.close()
        arena.finish()
        assert {name: len(client.states) for name, client in arena.clients.items()} == states
