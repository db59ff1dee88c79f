"""What the tests of relay and hub share: making releases, and hearing what is published."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import redis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg.rows import DictRow, dict_row
from redis.backoff import NoBackoff
from redis.retry import Retry

from configsvc.crypto.datakeys import DataKeys
from configsvc.crypto.providers.local import LocalKeys
from configsvc.domain.messages import header_channel
from configsvc.service.secrets import Plain, Secrets
from configsvc.store import releases
from configsvc.store.audit import Origin
from configsvc.store.database import Database

DEADLINE_S = 15.0
ENVS = ("development", "staging", "production")


def open_frame(frame: bytes, public_keys: Mapping[str, str]) -> bytes | None:
    """Read a frame the way docs/protocol.md tells clients to, and return its JSON; None for an unknown key."""
    version, kid, signature, json_bytes = frame.split(b".", 3)
    assert version == b"v1"
    if kid.decode() not in public_keys:
        return None
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(public_keys[kid.decode()] + "="))
    key.verify(base64.urlsafe_b64decode(signature + b"=="), b"configsvc/push/v1\n" + json_bytes)
    return json_bytes


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds; fail if it doesn't in time."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)


def gets_in(redis_url: str) -> bool:
    """Whether the account of this address is there."""
    with redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)) as connection:
        try:
            return bool(connection.ping())
        except redis.AuthenticationError:
            return False


class Editor:
    """Declares keys and commits releases, as the service does it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key_ids: dict[str, int] = {}

    def declare(self, path: str, type_: str = "int", *, secret: bool = False) -> None:
        """Declare ``namespace/key``, and the namespace with it."""
        namespace, key = path.split("/")
        self._run("INSERT INTO namespace (name, created_by) VALUES (%s, 'test') ON CONFLICT DO NOTHING", namespace)
        row = self._run(
            "INSERT INTO config_key (namespace_id, name, type, secret, created_by)"
            " SELECT id, %s, %s, %s, 'test' FROM namespace WHERE name = %s RETURNING id",
            key,
            type_,
            secret,
            namespace,
        )
        self._key_ids[path] = row["id"]

    def commit(self, env: str, changes: Mapping[str, str | None]) -> releases.Committed:
        """Commit values (JSON texts, None deletes) by ``namespace/key``; what is not declared becomes an int."""
        for path in changes.keys() - self._key_ids.keys():
            self.declare(path)
        env_id = self._run("SELECT id FROM environment WHERE name = %s", env)["id"]
        release = releases.Commit(
            env_id,
            "edit",
            "",
            [self._key_ids[path] for path in changes],
            list(changes.values()),
            [1] * len(changes),
            leave=releases.Leave(break_glass="a test"),
        )
        with self._database.connection() as connection:
            return releases.commit(connection, release, Origin("test", "test", "127.0.0.1"), None)

    def commit_secret(self, env: str, path: str, text: str, key_file: Path) -> None:
        """Commit a secret's value, sealed as the service seals it."""
        namespace, key = path.split("/")
        env_id = self._run("SELECT id FROM environment WHERE name = %s", env)["id"]
        row = self._run("SELECT namespace_id, type FROM config_key WHERE id = %s", self._key_ids[path])
        secrets = Secrets(self._database, DataKeys(LocalKeys(key_file)))
        with self._database.connection() as connection:
            kept = secrets.seal(
                connection, env_id, env, [Plain(namespace, row["namespace_id"], key, row["type"], text)]
            )
            release = releases.Commit(env_id, "edit", "", [self._key_ids[path]], [None], [1], secrets=kept)
            releases.commit(connection, release, Origin("test", "test", "127.0.0.1"), None)

    def count(self, env: str, number: int, path: str = "payments/rate") -> list[int]:
        """Commit ``number`` releases of one key, and return their revisions."""
        return [self.commit(env, {path: str(time.monotonic_ns())}).revision for _ in range(number)]

    def _run(self, query: Any, *params: object) -> DictRow:
        with self._database.connection() as connection:
            cursor = connection.execute(query, params)
            return (cursor.fetchone() if cursor.description else None) or {}


@contextmanager
def superuser(url: str) -> Iterator[psycopg.Connection[DictRow]]:
    """A superuser's connection, for what the service's role may not do."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


def unpublished(connection: psycopg.Connection[DictRow]) -> int:
    """How many releases are not marked as published."""
    row = connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
    assert row is not None
    return int(row["count"])


class Message:
    """One verified message, as it came in."""

    def __init__(self, channel: str, raw: bytes) -> None:
        self.channel = channel
        self.raw = raw
        self.json: dict[str, Any] = json.loads(raw)
        self.is_header = channel == header_channel(self.json["env"])

    def __repr__(self) -> str:
        return f"{self.channel} {self.raw!r}"


class Listener:
    """Hears all channels on one connection, so in the order of publishing. Drops frames of other tests' keys."""

    def __init__(self, redis_url: str, public_keys: Mapping[str, str]) -> None:
        self._public_keys = public_keys
        self._redis = redis.Redis.from_url(redis_url)
        self._pubsub = self._redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self.messages: list[Message] = []
        self._pubsub.psubscribe("config:*")
        while not self._pubsub.subscribed:
            self._pubsub.get_message(timeout=0.1)

    def close(self) -> None:
        """Stop listening."""
        self._pubsub.close()
        self._redis.close()

    def listen(self, timeout_s: float = 0.05) -> None:
        """Take in what has come, up to a hundred messages, waiting up to ``timeout_s`` for each."""
        for _ in range(100):
            message = self._pubsub.get_message(timeout=timeout_s)
            if message is None:
                return
            raw = open_frame(message["data"], self._public_keys)
            if raw is not None:
                self.messages.append(Message(message["channel"].decode(), raw))

    def until(self, condition: Callable[[], bool]) -> None:
        """Listen until the condition holds; fail if it doesn't in time."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"not in time; heard {self.messages[-20:]}"
            self.listen()

    def headers(self, env: str) -> list[dict[str, Any]]:
        """The headers of one environment so far."""
        return [message.json for message in self.messages if message.is_header and message.json["env"] == env]

    def until_header(self, env: str, revision: int, *, after: int = 0) -> None:
        """Listen until this release's header comes after the first ``after`` headers."""
        self.until(lambda: any(header["revision"] == revision for header in self.headers(env)[after:]))


def assert_in_order(listener: Listener, env: str) -> None:
    """Beats grow; a release's parts come before its first header; each header names the one before."""
    heard = [message for message in listener.messages if message.json["env"] == env]
    beats = [message.json["beat"] for message in heard if message.is_header]
    assert beats == sorted(set(beats))
    parts: set[tuple[str, str]] = set()
    cursors: dict[int, str] = {}
    for message in heard:
        content = message.json
        if not message.is_header:
            parts.add((content["cursor"], content["namespace"]))
            continue
        assert {(content["cursor"], namespace) for namespace in content["namespaces"]} <= parts
        assert cursors.setdefault(content["revision"], content["cursor"]) == content["cursor"]
        if content["revision"] - 1 in cursors:
            assert content["previous"] == cursors[content["revision"] - 1]
