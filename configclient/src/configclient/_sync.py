"""The HTTP side: one POST /v1/sync at a time over one connection, bounded in time and size, and every failure one kind.

The connection is held here directly, not in a pool, for two things a pool hides: closing the client shuts a held
request's socket at once, and after a fork the child lets go of the inherited descriptor without a word to the server.
"""

import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from ._settings import Settings
from .errors import ConfigError, InvalidSettings

CONNECT_TIMEOUT_S: Final = 1.0
READ_TIMEOUT_S: Final = 2.0  # beyond the hold; also the longest pause within a body
LEAVE_TIMEOUT_S: Final = 0.25  # to connect, and again for the answer: whoever ends has no time
# A body may take this long and then has to keep up this rate: a server that drips a byte a second must not keep us from
# polling anew within poll_interval_s, and the first load of a large scope over a thin line must come to its end.
BODY_GRACE_S: Final = 4.0
BODY_BYTES_PER_S_MIN: Final = 64 * 1024
BYTES_PER_NAMESPACE_MAX: Final = 20 * 1024 * 1024  # a scope is at most 16 MiB of values and 10,000 keys
ERROR_BYTES_MAX: Final = 64 * 1024
CHUNK_BYTES: Final = 64 * 1024
REASON_CHARS_MAX: Final = 300
DENIED: Final = frozenset({401, 403, 404})


class SyncFailed(ConfigError):
    """One sync did not bring a state. `status` is None when there was no HTTP answer at all."""

    def __init__(self, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def denied(self) -> bool:
        """A wrong token, no grant, or no such name: trying again soon is of no use."""
        return self.status in DENIED


class SyncApi:
    """The service's one call, as the refresher sees it. One thread calls `post` and `take_leave`; any calls `abort`."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = settings.url
        self._path = (settings.url.path or "").rstrip("/") + "/v1/sync"
        self._headers = {
            "Authorization": f"Bearer {settings.token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": "configclient",
        }
        self._body_bytes_max = BYTES_PER_NAMESPACE_MAX * len(settings.namespaces)
        self._tls = _tls_context(settings.ca_file) if settings.url.scheme == "https" else None
        self._clock = clock
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._posting = False
        self._aborted = False

    def post(self, request: dict[str, Any], hold_s: float) -> bytes:
        """Send one request, wait at most `hold_s` beyond the timeouts, return a 200's body. Raises SyncFailed."""
        body = json.dumps(request).encode()
        self._posting = True
        try:
            self._mind_abort()
            status, retry_after_s, answer = self._exchange(body, hold_s)
        except (HTTPError, http.client.HTTPException, OSError) as error:
            self._drop()
            raise SyncFailed(f"{self._url}: {_reason(error)}") from None
        except BaseException:
            self._drop()
            raise
        finally:
            self._posting = False
        if status != 200:
            raise SyncFailed(f"{self._url}: {_problem(status, answer)}", status, retry_after_s)
        return answer

    def take_leave(self, request: dict[str, Any]) -> None:
        """Send one last request, after `abort` too, and don't mind what is answered. Raises SyncFailed."""
        try:
            self._send_once(json.dumps(request).encode(), LEAVE_TIMEOUT_S, LEAVE_TIMEOUT_S)
        except (HTTPError, http.client.HTTPException, OSError) as error:
            raise SyncFailed(f"{self._url}: {_reason(error)}") from None
        finally:
            self._drop()

    def abort(self) -> None:
        """End the post in flight, and every later one, at once. Called by whoever closes the client."""
        self._aborted = True
        if self._posting and self._socket is not None:
            with suppress(OSError):  # it was closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the idle connection. Called when no request is in flight any more."""
        self._drop()

    def abandon(self) -> None:
        """In the child of a fork: close our copy of the descriptor. No shutdown: the connection is the parent's."""
        inherited, self._socket, self._connection = self._socket, None, None
        if inherited is not None:
            descriptor = inherited.detach()
            if descriptor >= 0:
                os.close(descriptor)

    def _exchange(self, body: bytes, hold_s: float) -> tuple[int, float | None, bytes]:
        response = self._send(body, hold_s)
        try:
            length_max = self._body_bytes_max if response.status == 200 else ERROR_BYTES_MAX
            answer = self._read(response, length_max)
        finally:
            response.close()
        if response.headers.get("Connection", "").lower() == "close":
            self._drop()
        return response.status, _retry_after_s(response.headers), answer

    def _send(self, body: bytes, hold_s: float) -> HTTPResponse:
        reused = self._connection is not None and self._connection.is_connected
        try:
            return self._send_once(body, CONNECT_TIMEOUT_S, hold_s + READ_TIMEOUT_S)
        except (http.client.HTTPException, ConnectionError):
            # Servers close idle connections whenever they like; a sync may be sent twice without harm.
            if not reused or self._aborted:
                raise
            self._drop()
            return self._send_once(body, CONNECT_TIMEOUT_S, hold_s + READ_TIMEOUT_S)

    def _send_once(self, body: bytes, connect_timeout_s: float, answer_timeout_s: float) -> HTTPResponse:
        connection = self._connect(connect_timeout_s)
        connection.timeout = answer_timeout_s
        connection.request("POST", self._path, body=body, headers=self._headers, preload_content=False)
        response = connection.getresponse()
        if self._socket is not None:
            self._socket.settimeout(READ_TIMEOUT_S)  # the hold is over
        return response

    def _connect(self, timeout_s: float) -> HTTPConnection:
        if self._connection is not None and self._connection.is_connected:
            return self._connection
        self._drop()
        connection = self._connection = self._new_connection(timeout_s)
        connection.connect()
        self._socket = connection.sock
        self._mind_abort()
        return connection

    def _mind_abort(self) -> None:
        if self._posting and self._aborted:
            raise ConnectionAbortedError("the client was closed")

    def _new_connection(self, timeout_s: float) -> HTTPConnection:
        host = self._url.hostname or ""
        if self._tls is None:
            return HTTPConnection(host, self._url.port, timeout=timeout_s)
        return HTTPSConnection(host, self._url.port, timeout=timeout_s, ssl_context=self._tls)

    def _read(self, response: HTTPResponse, length_max: int) -> bytes:
        started = self._clock()
        chunks: list[bytes] = []
        length = 0
        while chunk := response.read1(CHUNK_BYTES):
            chunks.append(chunk)
            length += len(chunk)
            if length > length_max:
                raise ConnectionAbortedError(f"an answer over {length_max} bytes")
            if self._clock() - started > BODY_GRACE_S + length / BODY_BYTES_PER_S_MIN:
                raise TimeoutError(f"an answer under {BODY_BYTES_PER_S_MIN // 1024} KiB/s")
        return b"".join(chunks)

    def _drop(self) -> None:
        connection, self._connection, self._socket = self._connection, None, None
        if connection is not None:
            connection.close()


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise InvalidSettings(f"ca_file {ca_file!r} is not a readable file of PEM certificates") from None


def _reason(error: BaseException) -> str:
    """Why there was no answer, in one line."""
    error = error.__cause__ or error  # what the system said; urllib3's own words around it repeat host and port
    if isinstance(error, TimeoutError):
        return str(error) if str(error).startswith("an answer") else "no answer in time"
    text = str(error) or type(error).__name__
    return " ".join(text.split())[:REASON_CHARS_MAX]


def _problem(status: int, body: bytes) -> str:
    """What the service said: its problem document's code and detail, or the bare status for anything else."""
    try:
        problem = json.loads(body)
        text = f"{status} {problem['code']}: {problem.get('detail') or problem.get('title') or ''}"
    except (ValueError, TypeError, KeyError, RecursionError):
        text = f"answered {status}, and it is no problem document"
    return "".join(char for char in text if char.isprintable())[:REASON_CHARS_MAX]


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """In seconds; a moment is understood by the clock of who named it, since ours may be another."""
    header = headers.get("Retry-After", "").strip()
    if header.isdecimal():
        return float(header)
    try:
        wait = parsedate_to_datetime(header) - parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())
