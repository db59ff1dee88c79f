"""Starting against everything that can be wrong, living through it, and closing in time."""

import functools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from configclient import AccessDenied, ConfigClient, ConfigUnavailable, InvalidSettings
from tests.unit.client.double import ENV, TOKEN, Canned, ServiceDouble, problem

Start = Callable[..., ConfigClient]
WAIT_S = 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"service": ""}, "service must be 1 to 100 printable"),
        ({"env": "Prod"}, "env must be 1 to 20 of"),
        ({"namespaces": []}, "at least one namespace"),
        ({"namespaces": "payments"}, "must be a list of names"),
        ({"namespaces": ["a b"]}, "a namespace must be"),
        ({"url": "ftp://x"}, "must look like https://host:port"),
        ({"url": "http://me:hush@x"}, "without credentials"),
        ({"url": "http://["}, "must look like"),
        ({"token": "two words"}, "must be printable ASCII"),
        ({"poll_interval_s": 0}, "poll_interval_s must be"),
        ({"start_timeout_s": float("nan")}, "start_timeout_s must be"),
        ({"url": "https://x", "ca_file": "/nowhere.pem"}, "ca_file '/nowhere.pem' is not a readable"),
    ],
)
def test_a_mistake_is_named(options: dict[str, Any], message: str) -> None:
    """What is malformed is said in one sentence, before anything is started, without showing a credential."""
    good: dict[str, Any] = {
        "service": "checkout",
        "env": ENV,
        "namespaces": ["payments"],
        "url": "http://x",
        "token": "t",
    }
    before = threading.active_count()
    with pytest.raises(InvalidSettings, match=message) as caught:
        ConfigClient(**{**good, **options})
    assert isinstance(caught.value, ValueError)
    assert "hush" not in str(caught.value)
    assert threading.active_count() == before


def test_url_and_token_come_from_the_environment(service: ServiceDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """CONFIGSVC_URL and CONFIGSVC_TOKEN stand in for url= and token=; missing, each is asked for by name."""
    monkeypatch.delenv("CONFIGSVC_URL", raising=False)
    monkeypatch.delenv("CONFIGSVC_TOKEN", raising=False)
    with pytest.raises(InvalidSettings, match="set CONFIGSVC_URL"):
        ConfigClient("checkout", ENV, ["payments"])
    monkeypatch.setenv("CONFIGSVC_URL", service.url + "/")
    with pytest.raises(InvalidSettings, match="set CONFIGSVC_TOKEN"):
        ConfigClient("checkout", ENV, ["payments"])
    monkeypatch.setenv("CONFIGSVC_TOKEN", TOKEN)
    with ConfigClient("checkout", ENV, ["payments", "payments"]) as client:
        assert client.get("payments", "rate_limit") == 100


def test_the_first_request(service: ServiceDouble, start: Start) -> None:
    """It says who asks, that there is nothing yet, and carries the token in its header alone."""
    start()
    request = dict(service.requests[0])
    client = dict(request.pop("client"))
    request.pop("at")
    scope = {"env": ENV, "namespaces": ["payments", "global"]}
    assert request == {"path": "/v1/sync", **scope, "have": None, "view": None, "wait_s": 0}
    assert len(client.pop("id")) == 36
    assert client.pop("host") == socket.gethostname()
    assert client == {"service": "checkout", "pid": os.getpid(), "sdk": "configclient/0.1", "transport": "none"}
    assert service.headers[0]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_no_access_at_the_start(service: ServiceDouble, start: Start, status: int) -> None:
    """401, 403 and 404 raise at once, with what the service said."""
    service.canned.append(problem(status, "some_code"))
    began = time.monotonic()
    with pytest.raises(AccessDenied, match=f"{status} some_code: about some_code"):
        start(start_timeout_s=60)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("canned", "reason"),
    [
        (problem(500, "internal"), "500 internal"),
        (Canned(200, b"<html>a proxy's page</html>"), "not JSON"),
        (Canned(502, b"<html>a proxy's page</html>"), "answered 502, and it is no problem document"),
        (Canned(302, b"", {"Location": "http://elsewhere/"}), "answered 302"),
        (Canned(200, b'{"kind": "full"}'), "no revision"),
        (Canned(200, b"[" * 100_000), "not JSON"),
        (Canned(200, b"{}" * 100, cut=True), "IncompleteRead"),
        (Canned(drop=True), "closed connection without response"),
        (Canned(hang=True), "no answer yet"),
    ],
    ids=["500", "html", "502-html", "redirect", "half-json", "deep-json", "half-body", "no-answer", "hang"],
)
def test_no_usable_answer_at_the_start(service: ServiceDouble, start: Start, canned: Canned, reason: str) -> None:
    """The constructor gives up after its timeout, and says what came last."""
    service.canned.extend([canned] * 100)
    with pytest.raises(ConfigUnavailable, match=reason):
        start(start_timeout_s=0.3)


def test_nobody_there(start: Start) -> None:
    """A closed port raises ConfigUnavailable after the timeout."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigUnavailable, match=r"no settings within 0\.2 s: http://127\.0\.0\.1"):
            start(url=f"http://127.0.0.1:{unused.getsockname()[1]}", start_timeout_s=0.2)


def test_a_start_tries_again(service: ServiceDouble, start: Start) -> None:
    """A first answer that fails is followed by another try within the timeout."""
    service.canned.extend([problem(503, "unavailable"), Canned(drop=True)])
    assert start().get("payments", "rate_limit") == 100


@pytest.mark.parametrize(
    "canned",
    [
        Canned(200, b"<html>"),
        Canned(200, b'{"kind": "none"}'),
        Canned(200, b"{}" * 100, cut=True),
        Canned(drop=True),
        problem(500, "internal"),
        problem(429, "rate_limited", Retry_After="0"),
        problem(401, "unauthenticated"),
        problem(403, "forbidden"),
    ],
    ids=["html", "half-json", "half-body", "no-answer", "500", "429", "401", "403"],
)
def test_a_bad_answer_later_changes_nothing(service: ServiceDouble, start: Start, canned: Canned) -> None:
    """The values stay, `last_error` says why, and the client asks again until it gets an answer."""
    client = start(push=False, poll_interval_s=0.5)
    # Twice, since one dropped connection is only an idle one that the server closed.
    service.canned.extend([canned, canned])
    revision = service.commit({"payments": {"rate_limit": 200}})
    board = client._board
    with board.changed:
        assert board.changed.wait_for(lambda: client.status().state == "offline", WAIT_S)
        assert client.status().last_error
    assert client.get("payments", "rate_limit") in (100, 200)
    assert client.wait_for(service.commit({"payments": {"rate_limit": 300}}), WAIT_S)
    assert revision == 2
    assert client.status().last_error is None


def test_an_answer_that_is_too_long_is_refused(
    service: ServiceDouble, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than the bound is ever read."""
    monkeypatch.setattr("configclient._sync.BYTES_PER_NAMESPACE_MAX", 1000)
    service.canned.extend([Canned(200, b" " * 5000)] * 100)
    with pytest.raises(ConfigUnavailable, match="an answer over 2000 bytes"):
        start(start_timeout_s=0.2)


def test_an_idle_connection_that_the_server_closed_is_no_failure(
    service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Servers close idle connections; the next sync uses another one, and nobody hears of it."""
    service.closes_idle = True
    client = start(push=False)
    for value in range(5):
        assert client.wait_for(service.commit({"payments": {"rate_limit": value}}), WAIT_S)
    assert not [record for record in caplog.records if "offline" in record.getMessage()]


def test_close_ends_a_held_request(service: ServiceDouble, start: Start) -> None:
    """Closing does not wait for the service to let go of a long poll."""
    client = start(push=False)
    service.wait_for_request(lambda request: request["wait_s"] == 5)
    began = time.monotonic()
    client.close()
    assert time.monotonic() - began < 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("configclient")]


def test_close_with_a_hanging_service(service: ServiceDouble, start: Start) -> None:
    """A service that never answers holds up neither the failing start nor the closing."""
    service.canned.extend([Canned(hang=True)] * 10)
    began = time.monotonic()
    with pytest.raises(ConfigUnavailable):
        start(start_timeout_s=0.1)
    assert time.monotonic() - began < 4


def _has(cursor: str, request: dict[str, Any]) -> bool:
    return bool(request["have"] == cursor)


def test_polls_follow_one_another(service: ServiceDouble, start: Start) -> None:
    """Without push each answer is followed by the next held request, which carries the new cursor."""
    client = start(push=False)
    for value in range(3):
        cursor = service.history[-1]["cursor"]
        request = service.wait_for_request(functools.partial(_has, cursor))
        assert (request["wait_s"], request["client"]["transport"]) == (5, "longpoll")
        assert client.wait_for(service.commit({"payments": {"rate_limit": value}}), WAIT_S)


def test_importing_the_client_leaves_redis_alone() -> None:
    """The command line, and whoever only imports, does not pay for redis; the first client with push does."""
    program = "import sys, configclient; sys.exit(any(name.partition('.')[0] == 'redis' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_failing_polls_are_told_once(service: ServiceDouble, start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The log has a line for each change of state, and none for each poll that fails."""
    client = start(push=False, poll_interval_s=0.05)
    caplog.set_level("INFO", logger="configclient")
    caplog.clear()
    service.canned.extend(problem(503, "unavailable") for _ in range(6))
    deadline = time.monotonic() + WAIT_S
    while service.canned or client.status().state != "live":
        assert time.monotonic() < deadline, client.status()
        time.sleep(0.01)
    assert [record.args[1] for record in caplog.records] == ["offline", "live"]
