"""Requests to the service: JSON in, JSON out; everything else is a :class:`CliError` in one line."""

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

import urllib3

from configclient.cli._errors import CliError, Exit, from_problem

CONNECT_TIMEOUT_S = 3.0
# A write waits for locks and a disk flush; a scope of 16 MiB takes its time too.
READ_TIMEOUT_S = 15.0
# For who waits with a key pressed.
HASTY_TIMEOUT_S = 0.7
# A lost connection or a 503 during a restart is tried again at once, after 0.4 s and after 0.8 s. Writes too: every one
# carries an Idempotency-Key, so the service does it once however often it is asked.
RETRIES_MAX = 3
RETRY_BACKOFF_S = 0.2


class Api:
    """The service at ``url`` (http or https), spoken to as the owner of ``token``."""

    def __init__(self, url: str, token: str, *, hasty: bool = False) -> None:
        """``hasty``: an answer that takes longer than a person types is worth nothing."""
        self._base = checked_url(url)
        self._headers = {
            "Authorization": f"Bearer {_checked_token(token)}",
            "Accept": "application/json, application/problem+json",
        }
        self._pool = urllib3.PoolManager(
            timeout=HASTY_TIMEOUT_S if hasty else urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
            retries=False
            if hasty
            else urllib3.Retry(
                total=RETRIES_MAX,
                redirect=False,
                status_forcelist=(503,),
                allowed_methods=None,
                backoff_factor=RETRY_BACKOFF_S,
                raise_on_status=False,
                respect_retry_after_header=False,
            ),
        )

    def get(self, path: str) -> dict[str, Any]:
        """The answer to ``GET path``. Raises :class:`CliError`."""
        return self._call("GET", path, None, {})

    def send(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """The answer to a change of what is no setting, empty where there is none. Raises :class:`CliError`."""
        return self._call(method, path, body, {})

    def write(self, method: str, path: str, body: dict[str, Any], if_match: str | None = None) -> dict[str, Any]:
        """The answer to a write; it is done once, however often it had to be sent. Raises :class:`CliError`.

        ``if_match``: an ETag; the write is refused if that is no longer the state.
        """
        condition = {} if if_match is None else {"If-Match": if_match}
        return self._call(method, path, body, {"Idempotency-Key": str(uuid.uuid4())} | condition)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, extra: dict[str, str]) -> dict[str, Any]:
        headers = self._headers | extra
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            headers["Content-Type"] = "application/json"
        try:
            response = self._pool.request(method, self._base + path, body=data, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise CliError(
                f"no answer from {self._base} ({_reason(error)}); is configsvc running there, and CONFIGSVC_URL right?",
                Exit.UNAVAILABLE,
            ) from None
        return self._answer(response)

    def _answer(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        if response.status == 204:
            return {}
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and response.status in (200, 201):
            return answer
        if isinstance(answer, dict) and "code" in answer and response.status >= 400:
            raise from_problem(response.status, answer, response.headers.get("Retry-After"))
        raise CliError(
            f"{self._base} answered {response.status}, but not as configsvc does; is CONFIGSVC_URL right?",
            Exit.UNAVAILABLE,
        )


def checked_url(url: str) -> str:
    """``url`` without a slash at its end. Raises :class:`CliError` where it can't be the address of a service."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = good and not (parts.username or parts.query or parts.fragment)
    except ValueError:
        good = False
    if not good:
        raise CliError("the service address is wrong; write CONFIGSVC_URL like http://127.0.0.1:8400", Exit.USAGE)
    return url.rstrip("/")


def _checked_token(token: str) -> str:
    # Never repeat it: it is a password.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise CliError("CONFIGSVC_TOKEN holds characters that no token has; copy the token again", Exit.USAGE)
    return token


def _reason(error: BaseException) -> str:
    """The innermost cause of a transport error, in a few words."""
    while (inner := getattr(error, "reason", None) or error.__cause__ or error.__context__) is not None:
        if not isinstance(inner, BaseException):
            break
        error = inner
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "timed out"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
