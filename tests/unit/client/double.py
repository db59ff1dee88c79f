"""A test double of the service: speaks the protocol over real HTTP on 127.0.0.1, pushes through a fake Redis.

It behaves unless told otherwise: `canned` answers are given first, one per request; `beating`, `pushing`,
`knows_account` and `fake_redis.connected` switch parts of it off.
"""

import base64
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import fakeredis
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.client import PubSub
from redis.exceptions import AuthenticationError

ENV = "production"
TOKEN = "cfg_test_hush-hush"
BEAT_S = 0.1
TYPES = {str: "string", int: "int", float: "float", bool: "bool", dict: "json", list: "json"}


@dataclass
class Canned:
    """One answer out of line. `cut`: half of the body, then nothing. `hang`: nothing at all. `drop`: the connection."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    hang: bool = False
    drop: bool = False


def problem(status: int, code: str, **headers: str) -> Canned:
    """A problem document."""
    body = json.dumps({"type": "about:blank", "status": status, "code": code, "detail": f"about {code}"}).encode()
    return Canned(status, body, {"Content-Type": "application/problem+json", **headers})


def new_key() -> tuple[str, Ed25519PrivateKey, str]:
    """kid, private key, and the public one as clients get it."""
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes_raw()
    return hashlib.sha256(raw).hexdigest()[:16], key, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class ServiceDouble:
    """One environment. All of it may be used from the test's thread while clients talk to it."""

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = [{"cursor": "0.root", "changes": {}, "values": {}}]
        self.born = 0
        self.beat = 0
        self.view = "v1"
        self.offers_push = True
        self.closes_idle = False
        self.beating = self.pushing = True
        self.next_sync_s = 30.0
        self.report_within_s = 2.0
        self.push_url = "redis://push-account:hush@double:6379"
        self.knows_account = True
        self.fake_redis = fakeredis.FakeServer()
        self.canned: deque[Canned] = deque()
        self.requests: list[dict[str, Any]] = []
        self.listeners: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.news = threading.Condition()
        self.stopped = False
        self.kid, self.key, self.public_key = new_key()
        self._publisher = fakeredis.FakeRedis(server=self.fake_redis)
        handler = type("Handler", (_Handler,), {"double": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self._threads = [threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})]
        self._threads.append(threading.Thread(target=self._beat))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End every request and thread."""
        with self.news:
            self.stopped = True
            self.news.notify_all()
        self.http.shutdown()
        self.http.server_close()
        for thread in self._threads:
            thread.join()
        self._publisher.close()

    # What operators do.

    def commit(self, changes: dict[str, dict[str, Any]]) -> int:
        """One release: namespace → key → new value, or None to delete. Returns its revision."""
        with self.news:
            self.born += 1
            revision = len(self.history)
            before = self.history[-1]
            values = {name: dict(scope) for name, scope in before["values"].items()}
            listed: dict[str, list[Any]] = {}
            for namespace, scope in changes.items():
                for key, value in scope.items():
                    listed.setdefault(namespace, []).append(self._change(key, value))
                    values.setdefault(namespace, {})[key] = value
            release = {"cursor": f"{revision}.{self.born:016x}", "changes": listed, "values": values}
            self.history.append(release)
            self.news.notify_all()
        if self.pushing:
            self.publish(revision)
        return revision

    def restore(self, revision: int) -> None:
        """Bring back an old backup."""
        with self.news:
            del self.history[revision + 1 :]
            self.news.notify_all()

    def _change(self, key: str, value: Any) -> dict[str, Any]:
        if value is None:
            return {"key": key, "deleted": True, "version": self.born}
        return {"key": key, "type": TYPES[type(value)], "value": value, "version": self.born}

    # Push.

    def publish(self, revision: int) -> None:
        """The relay's job for one release."""
        release = self.history[revision]
        for namespace, listed in release["changes"].items():
            part = {"env": ENV, "namespace": namespace, "revision": revision, "cursor": release["cursor"]}
            self.send(f"config:changes:{namespace}:{ENV}", {**part, "changes": listed})
        self.send_header()

    def send_header(self) -> None:
        """The newest header, as a heartbeat."""
        with self.news:
            self.beat += 1
            revision = len(self.history) - 1
            release = self.history[revision]
            previous = self.history[revision - 1]["cursor"] if revision else None
            header = {"env": ENV, "revision": revision, "cursor": release["cursor"], "previous": previous}
            self.send(f"config:releases:{ENV}", {**header, "namespaces": sorted(release["changes"]), "beat": self.beat})

    def send(self, channel: str, message: Any) -> None:
        """Any message, signed."""
        self.send_frame(channel, self.sign(json.dumps(message).encode()))

    def send_frame(self, channel: str, frame: bytes) -> None:
        """Any bytes."""
        if self.fake_redis.connected:
            self._publisher.publish(channel, frame)

    def sign(self, body: bytes) -> bytes:
        """A frame."""
        signature = base64.urlsafe_b64encode(self.key.sign(b"configsvc/push/v1\n" + body)).rstrip(b"=")
        return b".".join((b"v1", self.kid.encode(), signature, body))

    def connect(self, url: str, ca_file: str | None) -> PubSub:
        """In place of `configclient._push.connect`."""
        assert ca_file is None
        with self.news:
            self.listeners.append(url)
            self.news.notify_all()
        if not self.knows_account:
            raise AuthenticationError("invalid username-password pair or user is disabled.")
        pubsub: PubSub = fakeredis.FakeRedis(server=self.fake_redis).pubsub()  # type: ignore[no-untyped-call]
        return pubsub

    def _beat(self) -> None:
        while not self.stopped:
            if self.beating:
                self.send_header()
            with self.news:
                self.news.wait_for(lambda: self.stopped, BEAT_S)

    # Sync.

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hold it as long as it asks for and nothing is new, then say what is."""
        with self.news:
            self.news.wait_for(
                lambda: self.stopped or request["have"] != self.history[-1]["cursor"], float(request["wait_s"])
            )
            known = [release["cursor"] for release in self.history]
            head = self.history[-1]
            answer = {
                "reset": False,
                "revision": len(self.history) - 1,
                "cursor": head["cursor"],
                "view": self.view,
                "next_sync_s": self.next_sync_s,
                "report_within_s": self.report_within_s,
                "push": {"url": self.push_url, "keys": {self.kid: self.public_key}} if self.offers_push else None,
            }
            have = request["have"]
            if have not in known or request["view"] != self.view:
                reset = have is not None and have not in known
                return {**answer, "kind": "full", "reset": reset, "values": self._values(request["namespaces"])}
            changes: dict[str, list[Any]] = {}
            for release in self.history[known.index(have) + 1 :]:
                for namespace in set(release["changes"]) & set(request["namespaces"]):
                    changes.setdefault(namespace, []).extend(release["changes"][namespace])
            return {**answer, "kind": "changes", "changes": changes} if changes else {**answer, "kind": "none"}

    def _values(self, namespaces: list[str]) -> dict[str, Any]:
        scopes = self.history[-1]["values"]
        return {
            namespace: {
                key: {"value": value, "type": TYPES[type(value)], "version": 1, "secret": False}
                for key, value in scopes.get(namespace, {}).items()
                if value is not None
            }
            for namespace in namespaces
        }

    # What tests wait for.

    def wait_for_request(self, wanted: Callable[[dict[str, Any]], bool], after: int = 0, timeout_s: float = 10) -> Any:
        """The first request from number `after` on that is as wanted; waits for it."""
        with self.news:

            def found() -> Any:
                return next((request for request in self.requests[after:] if wanted(request)), None)

            request = self.news.wait_for(found, timeout_s)
            assert request, f"no such request among {self.requests[after:]}"
            return request


class _Handler(BaseHTTPRequestHandler):
    double: ServiceDouble
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        double = self.double
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with double.news:
            double.requests.append({**request, "path": self.path, "at": time.monotonic()})
            double.headers.append(dict(self.headers))
            canned = double.canned.popleft() if double.canned else None
            double.news.notify_all()
        if canned is None:
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                canned = problem(401, "unauthenticated")
            else:
                canned = Canned(200, json.dumps(double.answer(request)).encode())
        try:
            self._give(canned)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _give(self, canned: Canned) -> None:
        if canned.hang:
            with self.double.news:
                self.double.news.wait_for(lambda: self.double.stopped)
        if canned.drop or canned.hang:
            self.close_connection = True
            return
        self.send_response(canned.status)
        for name, value in canned.headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(canned.body)))
        self.end_headers()
        self.wfile.write(canned.body[: len(canned.body) // 2] if canned.cut else canned.body)
        if canned.cut or self.double.closes_idle:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server calls it so
        """Nothing on stderr."""
