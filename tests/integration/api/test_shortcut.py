"""Plain syncs are answered before Flask: nobody can tell."""

import io
import json
from collections.abc import Callable, Mapping

import pytest
from werkzeug.test import TestResponse

from configsvc.api.door import BODY_BYTES_MAX
from configsvc.api.sync import PATH
from tests.integration.api.conftest import Caller
from tests.integration.api.test_metrics import samples
from tests.integration.api.test_sync import ask

BODIES: Mapping[str, bytes] = {
    "news": json.dumps(ask()).encode(),
    "held": json.dumps(ask(wait_s=0.01)).encode(),
    "no environment": json.dumps(ask(env="nowhere")).encode(),
    "a member too many": json.dumps(ask(more=1)).encode(),
    "no JSON": b"{",
    "nothing": b"",
    "too large": b" " * (BODY_BYTES_MAX + 1),
}


def chunked(caller: Caller, body: bytes, headers: Mapping[str, str]) -> TestResponse:
    """Send a sync whose length nobody has told: the shortcut leaves it to Flask."""
    surroundings = {"wsgi.input_terminated": True}
    stream = io.BytesIO(body)
    return caller.send("POST", PATH, input_stream=stream, environ_overrides=surroundings, headers=headers)


@pytest.mark.parametrize("role", ["service", None])
@pytest.mark.parametrize("case", BODIES)
def test_nobody_can_tell(caller: Callable[[str | None], Caller], case: str, role: str | None) -> None:
    """The same status, headers and text as by Flask's way, whatever is sent."""
    headers = {"X-Request-Id": "told-by-a-proxy"}
    plain = caller(role).post(PATH, BODIES[case], headers=headers)
    other = chunked(caller(role), BODIES[case], headers)
    assert plain.status_code == (401 if role is None else other.status_code)
    assert sorted(plain.headers) == sorted(other.headers)
    assert plain.text == other.text


def test_both_are_counted(caller: Callable[[str | None], Caller], admin: Caller) -> None:
    """Prometheus sees every sync once, by its status, whichever way it went."""
    for case in ("news", "held", "no JSON"):
        caller("service").post(PATH, BODIES[case])
        chunked(caller("service"), BODIES[case], {})
    seen = samples(admin)
    name = "configsvc_http_request_duration_seconds_count"
    for status, count in (("200", 4), ("400", 2)):
        assert seen[name, (("method", "POST"), ("route", PATH), ("status", status))] == count


def test_what_is_no_plain_sync_is_left_to_flask(caller: Callable[[str | None], Caller]) -> None:
    """Other methods, and addresses with something more."""
    assert caller("service").get(PATH).status_code == 405
    assert caller("service").post(f"{PATH}?more=1", BODIES["news"]).status_code == 400
