"""Looking first, asking where it is protected, waiting until everybody has it."""

import json
import time
import urllib.request
import uuid
from typing import Any

import pytest

from configclient import ConfigClient, Snapshot

from .conftest import Configctl, Terminal, ended

WAIT_S = 10.0


def sleeper(stack: Any, namespace: str, env: str = "development") -> None:
    """A client that syncs once and is never heard of again: for more than a minute it counts as live."""
    client = {"id": str(uuid.uuid4()), "service": "sleeper", "host": "web-1", "pid": 7, "transport": "longpoll"}
    body = {"client": client, "env": env, "namespaces": [namespace], "have": None, "view": None, "wait_s": 0}
    request = urllib.request.Request(
        f"{stack.url}/v1/sync",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {stack.tokens['service']}", "Content-Type": "application/json"},
    )
    urllib.request.urlopen(request, timeout=10).close()


def seen(configctl: Configctl, namespace: str, *more: str) -> None:
    """Wait until the service lists a watcher."""
    deadline = time.monotonic() + WAIT_S
    while len(configctl.lines("watchers", namespace, *more)) < 2:
        assert time.monotonic() < deadline


def test_wait_says_when_everybody_has_it(configctl: Configctl, stack: Any, namespace: str) -> None:
    """Also where nobody listens: there is nobody to wait for."""
    alone = configctl("set", namespace, "limit", "1", "--type", "int", "--wait")
    assert (alone.code, alone.err.endswith(": no instance listens\n")) == (0, True)
    with ConfigClient("checkout", "development", [namespace], url=stack.url, token=stack.tokens["service"]) as client:
        seen(configctl, namespace)
        everybody = configctl("set", namespace, "limit", "2", "--wait")
        assert (everybody.code, everybody.err.endswith(": all 1 instances have it\n")) == (0, True)
        assert client.get(namespace, "limit") == 2


def test_wait_names_who_is_late(configctl: Configctl, stack: Any, namespace: str) -> None:
    """When time is up the release stays, and exit code 7 tells scripts."""
    sleeper(stack, namespace)
    seen(configctl, namespace)
    late = configctl("set", namespace, "limit", "1", "--type", "int", "--wait", "--timeout", "0.1")
    assert (late.code, late.err.count("\n")) == (7, 1)
    assert "1 of 1 instances do not have it after 0.1 s: sleeper web-1:7 shows " in late.err
    assert configctl.values(namespace) == {"limit": 1}


def test_wait_names_who_refuses(configctl: Configctl, stack: Any, namespace: str) -> None:
    """Nobody waits for an instance that has said no."""

    def accept(snapshot: Snapshot) -> None:
        if snapshot.get_int(namespace, "limit") > 10:
            raise ValueError("too many")

    with ConfigClient(
        "checkout", "development", [namespace], url=stack.url, token=stack.tokens["service"], accept=accept
    ):
        seen(configctl, namespace)
        refused = configctl("set", namespace, "limit", "11", "--type", "int", "--wait")
    assert refused.code == 7
    assert "refused it (ValueError: too many)" in refused.err


def test_a_person_sees_the_change_and_who_hears_of_it(
    configctl: Configctl, terminal: Terminal, stack: Any, namespace: str
) -> None:
    """Without a question where the environment is open; --wait shows a bar."""
    configctl("set", namespace, "limit", "1", "--type", "int")
    sleeper(stack, namespace)
    seen(configctl, namespace)
    session = terminal("set", namespace, "limit", "2", "--wait", "--timeout", "0.1", NO_COLOR="1")
    session.expect_exact(f"{namespace}/limit  1 → 2\r\n")
    session.expect_exact("watchers: 1 (sleeper)\r\n")
    code, rest = ended(session)
    assert code == 7
    assert "0 of 1 instances" in rest


BREAK_GLASS = {"break_glass": {"reason": "a test"}}


def approve_all(stack: Any, namespace: str, by: str = "admin") -> None:
    """Approve and apply what was proposed, as somebody else."""
    for request in call(stack, "GET", f"/v1/requests?namespace={namespace}&status=open", by=by)["items"]:
        call(stack, "POST", f"/v1/requests/{request['id']}/reviews", {"decision": "approve"}, by=by)
        call(stack, "POST", f"/v1/requests/{request['id']}/apply", {}, by=by)


def call(stack: Any, method: str, path: str, body: object = None, *, by: str = "admin") -> dict[str, Any]:
    """Ask the service, past configctl."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {stack.tokens[by]}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{stack.url}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        document: dict[str, Any] = json.load(answer)
        return document


@pytest.mark.parametrize(("answer", "code", "value"), [("n", 130, 1), ("y", 0, 2)])
def test_a_person_is_asked_where_it_is_protected(
    configctl: Configctl,
    terminal: Terminal,
    stack: Any,
    ops: dict[str, str],
    namespace: str,
    answer: str,
    code: int,
    value: int,
) -> None:
    """What would change is shown before the question; a yes proposes it, without one nothing is written."""
    production = ("--env", "production")
    path = f"/v1/namespaces/{namespace}/envs/production/config/limit"
    call(stack, "PUT", path, {"value": 1, "type": "int", **BREAK_GLASS})
    session = terminal("set", namespace, "limit", "2", *production, NO_COLOR="1", **ops)
    session.expect_exact(f"{namespace}/limit  1 → 2\r\n")
    session.expect_exact("production is protected. Propose this? [y/N]: ")
    session.sendline(answer)
    assert ended(session)[0] == code
    approve_all(stack, namespace)
    assert configctl.values(namespace, *production) == {"limit": value}


def test_yes_answers_beforehand(
    configctl: Configctl, terminal: Terminal, stack: Any, ops: dict[str, str], namespace: str
) -> None:
    """The change is shown all the same, and proposed; a key that is not there yet is declared."""
    session = terminal(
        *("set", namespace, "limit", "1", "--type", "int", "--env", "production", "--yes"), NO_COLOR="1", **ops
    )
    code, shown = ended(session)
    assert (code, f"{namespace}/limit  (unset) → 1\r\n" in shown) == (0, True)
    approve_all(stack, namespace)
    assert configctl.values(namespace, "--env", "production") == {"limit": 1}


def test_a_script_is_told_to_propose(configctl: Configctl, stack: Any, ops: dict[str, str], namespace: str) -> None:
    """Without --yes it ends with exit code 5, with it a request is open; a secret's value reaches the request."""
    call(stack, "POST", f"/v1/namespaces/{namespace}/keys", {"key": "pin", "type": "int", "secret": True})
    write = ("set", namespace, "pin", "-", "--env", "production")
    refused = configctl(*write, stdin="1234", **ops)
    assert (refused.code, "--yes proposes it" in refused.err) == (5, True)
    assert configctl(*write, "--yes", stdin="1234", **ops).code == 0
    approve_all(stack, namespace)
    shown = call(stack, "POST", f"/v1/namespaces/{namespace}/envs/production/config/pin/reveal", {"reason": "a test"})
    assert shown["value"] == 1234
